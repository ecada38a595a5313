import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { projectRoot } from '../../support/project.ts';

/** What systemd and udev make of the files for the helper that asks security keys. */
const shipped = join(projectRoot, 'pam-config');
const text = (name: string) => readFileSync(join(shipped, name), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'sallyport-units-'));
after(() => rmSync(folder, { recursive: true }));

const service = join(folder, 'sallyport-fido@.service');
const socket = join(folder, 'sallyport-fido.socket');
cpSync(join(shipped, 'systemd'), folder, { recursive: true });
// What is not installed cannot be executed, and that is all that would be found.
writeFileSync(service, readFileSync(service, 'utf8').replace(/^ExecStart=.*$/m, 'ExecStart=/bin/true'));

function run(program: string, ...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: 60_000 });
  return { status, output: `${stdout}${stderr}` };
}
const has = (program: string) => spawnSync(program, ['--version']).error === undefined;
const analyze = { skip: has('systemd-analyze') ? false : 'systemd-analyze is not here' };

const lines = (name: string) =>
  text(name)
    .split('\n')
    .filter((line) => line !== '' && !/^[#[]/.test(line));
const settings = (name: string, key: string) =>
  lines(name).flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));

describe('the units', () => {
  it('are understood', analyze, () => {
    assert.deepEqual(run('systemd-analyze', 'verify', socket, service), { status: 0, output: '' });
  });

  it('leave little exposed', analyze, () => {
    const { status, output } = run(
      'systemd-analyze',
      'security',
      '--offline=true',
      '--no-pager',
      '--threshold=20',
      service,
    );
    assert.equal(status, 0, output);
    const level = Number(/Overall exposure level .*: ([\d.]+)/.exec(output)?.[1]);
    assert.ok(level <= 1, `${level}`);
  });

  it('let sallyportd alone in, and bound the processes', () => {
    const unit = 'systemd/sallyport-fido.socket';
    assert.deepEqual(settings(unit, 'SocketUser'), ['sallyport']);
    assert.deepEqual(settings(unit, 'SocketMode'), ['0600']);
    assert.deepEqual(settings(unit, 'Accept'), ['yes']);
    assert.ok(Number(settings(unit, 'MaxConnections')[0]) <= 16);
  });

  it('give the helper its own uid, hidraw, the connection and no more time than a question takes', () => {
    const unit = 'systemd/sallyport-fido@.service';
    assert.deepEqual(settings(unit, 'User'), ['sallyport-fido']);
    assert.deepEqual(settings(unit, 'DevicePolicy'), ['closed']);
    assert.deepEqual(settings(unit, 'DeviceAllow'), ['char-hidraw rw']);
    assert.deepEqual(settings(unit, 'StandardInput'), ['socket']);
    assert.deepEqual(settings(unit, 'StandardOutput'), ['socket']);
    const seconds = Number(settings(unit, 'RuntimeMaxSec')[0]);
    assert.ok(seconds > 603 && seconds <= 660, `${seconds}`);
  });
});

describe('the udev rule', () => {
  const [rule = '', ...more] = lines('udev/70-sallyport-fido.rules');

  it('gives FIDO tokens, and nothing else, to the group of the helper', () => {
    assert.deepEqual(more, []);
    const [group] = settings('systemd/sallyport-fido@.service', 'Group');
    assert.match(rule, /SUBSYSTEM=="hidraw", ENV\{ID_FIDO_TOKEN\}=="1",/);
    assert.ok(rule.endsWith(`GROUP="${group}", MODE="0660"`), rule);
  });

  it('is understood', () => {
    const file = join(shipped, 'udev/70-sallyport-fido.rules');
    const verified = run('udevadm', 'verify', '--resolve-names=never', file);
    // systemd 254 and newer; older ones do not know the command.
    if (!/Unknown command|unrecognized/.test(verified.output) && has('udevadm'))
      assert.equal(verified.status, 0, verified.output);
    assert.match(rule, /^(\w+(\{\w+\})?(==|!=|=)"[^"]*"(, |$))+$/);
  });
});

describe('the user of the helper', () => {
  it('is made by systemd-sysusers', { skip: has('systemd-sysusers') ? false : 'it is not here' }, () => {
    const { status, output } = run(
      'systemd-sysusers',
      '--dry-run',
      `--root=${folder}`,
      join(shipped, 'sysusers.d/sallyport-fido.conf'),
    );
    assert.equal(status, 0, output);
    assert.match(output, /sallyport-fido/);
  });
});
