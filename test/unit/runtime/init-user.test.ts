import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { rootedPaths } from '../../../daemon/config/defaults.ts';
import { type Reachable, reachable } from '../../support/reachable.ts';
import { daemonMain } from '../../support/rig/layout.ts';

const nobody = 65534;
let directory: string;
let config: string;
let reach: Reachable;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-init-'));
  // It is root's, as /etc/sallyport is, and the account can enter it.
  chmodSync(directory, 0o755);
  config = join(directory, 'etc/sallyport.toml');
  reach = reachable(directory);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function writeConfig(): void {
  const paths = rootedPaths(directory);
  const made = spawnSync(process.execPath, [daemonMain, '--init', '--root', directory], { encoding: 'utf8' });
  assert.equal(made.status, 0, made.stderr);
  for (const path of [
    paths.store,
    paths.anchor,
    paths.masterKey,
    `${paths.store}.lock`,
    `${paths.store}.reserve`,
  ])
    rmSync(path, { recursive: true, force: true });
  for (const path of ['var', 'run']) rmSync(join(directory, path), { recursive: true, force: true });
}

function init(...more: string[]) {
  const run = [process.execPath, reach.path(daemonMain), '--init', '--config', config, ...more];
  const [program, ...argv] = reach.argv(run);
  return spawnSync(program, argv, { encoding: 'utf8' });
}

describe('init by root, for the account that sallyportd runs as', () => {
  it('gives key and store to the account, and keeps the configuration', () => {
    writeConfig();
    const { status, stderr } = init('--user', 'nobody');
    assert.equal(status, 0, stderr);
    const { store, anchor, masterKey } = rootedPaths(directory);
    const ownerOf = (path: string) => statSync(path).uid;
    for (const path of [
      masterKey,
      store,
      join(store, 'CURRENT'),
      anchor,
      `${store}.lock`,
      join(directory, 'var'),
    ])
      assert.equal(ownerOf(path), nobody, path);
    for (const path of [config, join(directory, 'etc')]) assert.equal(ownerOf(path), 0, path);
    assert.equal(statSync(masterKey).mode & 0o777, 0o600);
    assert.equal(statSync(store).mode & 0o777, 0o700);
    assert.equal(statSync(join(directory, 'var')).mode & 0o777, 0o700);
    assert.equal(statSync(config).mode & 0o777, 0o644);
  });

  it('rejects an account that does not exist, and --root, before anything is created', () => {
    writeConfig();
    for (const more of [
      ['--user', 'no-such-account'],
      ['--user', 'nobody', '--root', directory],
    ]) {
      const { status, stderr } = init(...more);
      assert.equal(status, 1, more.join(' '));
      assert.match(stderr, /systemd-sysusers|--root/);
      assert.ok(!existsSync(rootedPaths(directory).masterKey));
    }
  });

  it('a second time changes nothing and says so', () => {
    writeConfig();
    assert.equal(init('--user', 'nobody').status, 0);
    const before = statSync(rootedPaths(directory).masterKey);
    const { status, stderr } = init('--user', 'nobody');
    assert.equal(status, 1);
    assert.match(stderr, /there is a store in/);
    assert.deepEqual(statSync(rootedPaths(directory).masterKey).ino, before.ino);
  });

  it('says so if the account cannot reach the program', () => {
    writeConfig();
    reach = reachable(join(directory, 'closed'));
    chmodSync(join(directory, 'closed'), 0o700);
    const { status, stderr } = init('--user', 'nobody');
    assert.equal(status, 1);
    assert.match(stderr, /^sallyportd: the account cannot run .*closed.*every directory on the way.*\n$/);
  });
});
