import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { projectRoot } from '../../../support/project.ts';

/** The rollback script, in a separate directory. */
const directory = mkdtempSync(join(tmpdir(), 'sallyport-revert-'));
after(() => rmSync(directory, { recursive: true }));
const thisBoot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1');

/** A change of one file whose time is over. */
function onTrial(notes: Readonly<Record<string, string>>) {
  const place = mkdtempSync(join(directory, 'machine-'));
  for (const name of ['records/try', 'records/done', 'pam.d', 'behind'])
    mkdirSync(join(place, name), { recursive: true });
  copyFileSync(join(projectRoot, 'pam-config/rollback/revert'), join(place, 'records/revert'));
  const all = {
    '0.path': `${place}/pam.d/sshd\n`,
    '0.before': 'old\n',
    '0.after': 'new\n',
    id: 'T1\n',
    boot: thisBoot,
    writer: '1 1\n',
    written: '1\n',
    deadline: '0\n',
    ...notes,
  };
  for (const [name, text] of Object.entries(all)) writeFileSync(join(place, 'records/try', name), text);
  const revert = (...argv: readonly string[]) => {
    const run = spawnSync('/bin/sh', [join(place, 'records/revert'), ...argv], { encoding: 'utf8' });
    assert.equal(run.status, 0, run.stderr);
  };
  return { path: (name: string) => join(place, name), revert };
}

describe('the rollback', () => {
  it('follows a link, as the change did, and keeps the link', () => {
    const { path, revert } = onTrial({});
    writeFileSync(path('behind/system-auth'), 'new\n');
    symlinkSync('../behind/system-auth', path('pam.d/sshd'));
    writeFileSync(path('behind/.sallyport-1.new'), 'half');
    revert('now');
    assert.ok(lstatSync(path('pam.d/sshd')).isSymbolicLink());
    assert.equal(readFileSync(path('behind/system-auth'), 'utf8'), 'old\n');
    assert.equal(existsSync(path('behind/.sallyport-1.new')), false);
  });

  it('is not due for a record that ends while it is read: the next change may be in its place', () => {
    const { path, revert } = onTrial({});
    writeFileSync(path('pam.d/sshd'), 'new\n');
    rmSync(path('records/try/boot'));
    revert('due');
    assert.equal(readFileSync(path('pam.d/sshd'), 'utf8'), 'new\n');
    assert.ok(existsSync(path('records/try/id')));
  });

  it('of a change by its id leaves every other change as it is', () => {
    const { path, revert } = onTrial({});
    writeFileSync(path('pam.d/sshd'), 'new\n');
    revert('now', 'T0');
    assert.equal(readFileSync(path('pam.d/sshd'), 'utf8'), 'new\n');
    revert('now', 'T1');
    assert.equal(readFileSync(path('pam.d/sshd'), 'utf8'), 'old\n');
  });

  // Under systemd it would reload the sshd of this machine.
  const skip = existsSync('/run/systemd/system');
  for (const [when, boot, reported] of [
    ['while the machine runs on', thisBoot, true],
    ['after a restart, when sshd is still to start', 'another\n', false],
  ] as const)
    it(`${reported ? 'tells' : 'does not tell'} sshd to read its configuration, ${when}`, {
      skip,
    }, async () => {
      const { path, revert } = onTrial({ boot });
      writeFileSync(path('pam.d/sshd'), 'new\n');
      copyFileSync(process.execPath, path('sshd'), 0);
      const script = `process.on('SIGHUP', () => process.exit(7)); process.on('SIGTERM', () => process.exit(8));
        setInterval(() => {}, 1000); console.log('ready');`;
      const sshd = spawn('/bin/sh', ['-c', `exec "$0" -e "$1"`, path('sshd'), script], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const ended = once(sshd, 'exit');
      await once(sshd.stdout, 'data');
      writeFileSync(path('pid'), `${sshd.pid}\n`);
      writeFileSync(path('records/try/reload'), `${path('pid')}\n`);
      revert('due');
      // Of two pending signals the kernel delivers either first.
      if (!reported) sshd.kill('SIGTERM');
      const [status] = await ended;
      assert.equal(readFileSync(path('pam.d/sshd'), 'utf8'), 'old\n');
      assert.equal(status, reported ? 7 : 8);
    });
});
