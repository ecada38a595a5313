import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { defaultAdminGroup, defaultConfigFile, systemPaths } from '../../../daemon/config/defaults.ts';
import { limits } from '../../../daemon/limits.ts';
import { projectRoot } from '../../support/project.ts';

/** The files with which systemd runs sallyportd; test/long/systemd.test.ts tests them with a real systemd. */
const shipped = join(projectRoot, 'pam-config');
const text = (name: string) => readFileSync(join(shipped, name), 'utf8');
const directory = mkdtempSync(join(tmpdir(), 'sallyport-unit-'));
after(() => rmSync(directory, { recursive: true }));

const settings = (name: string, key: string) =>
  text(name)
    .split('\n')
    .flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));

function run(program: string, ...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: 60_000 });
  return { status, output: `${stdout}${stderr}` };
}
const missing = (program: string) =>
  spawnSync(program, ['--version']).error === undefined ? false : `${program} is not here`;
const skip = missing('systemd-analyze');

const unit = 'systemd/sallyportd.service';
const sockets = {
  pam: systemPaths.pamSocket,
  'pam-user': systemPaths.pamUserSocket,
  control: systemPaths.controlSocket,
};
const socketUnit = (name: string) => `systemd/sallyport-${name}.socket`;
const dropIns = readdirSync(join(shipped, 'drop-ins')).map((name) => name.replace('.conf', ''));

/**
 * The units in a separate directory. Programs that are not installed cannot be executed, and must be the only finding.
 */
function unitsWith(dropIn?: string): string {
  const place = join(directory, dropIn ?? 'plain');
  cpSync(join(shipped, 'systemd'), place, { recursive: true });
  const service = join(place, 'sallyportd.service');
  const program = /^(Exec\w+)=.*node .*$/gm;
  writeFileSync(service, readFileSync(service, 'utf8').replace(program, '$1=/bin/true'));
  if (dropIn !== undefined) {
    mkdirSync(join(place, 'sallyportd.service.d'));
    cpSync(
      join(shipped, 'drop-ins', `${dropIn}.conf`),
      join(place, 'sallyportd.service.d', `${dropIn}.conf`),
    );
  }
  return place;
}

function exposure(place: string): number {
  const options = ['--offline=true', '--no-pager', '--threshold=20'];
  const { status, output } = run(
    'systemd-analyze',
    'security',
    ...options,
    join(place, 'sallyportd.service'),
  );
  assert.equal(status, 0, output);
  return Number(/Overall exposure level .*: ([\d.]+)/.exec(output)?.[1]);
}

describe('the sockets of sallyportd', () => {
  it('have the paths and names that the module and the command line use', () => {
    const listeners = readFileSync(join(projectRoot, 'daemon/runtime/standalone.ts'), 'utf8');
    for (const [name, path] of Object.entries(sockets)) {
      assert.deepEqual(settings(socketUnit(name), 'ListenStream'), [path]);
      assert.deepEqual(settings(socketUnit(name), 'FileDescriptorName'), [name]);
      assert.ok(listeners.includes(`at('${name}', `), name);
    }
  });

  it('admit only root where root authenticates users, and all users elsewhere', () => {
    const modes = Object.keys(sockets).map((name) => settings(socketUnit(name), 'SocketMode'));
    assert.deepEqual(modes, [['0600'], ['0666'], ['0666']]);
  });

  it('queue connections, and stay whatever happens to the service', () => {
    for (const name of Object.keys(sockets)) {
      for (const [key, value] of Object.entries({
        Service: 'sallyportd.service',
        Backlog: '4096',
        TriggerLimitIntervalSec: '0',
        RemoveOnStop: 'yes',
      }))
        assert.deepEqual(settings(socketUnit(name), key), [value], `${name} ${key}`);
      assert.deepEqual(settings(socketUnit(name), 'Accept'), [], 'one process serves all');
    }
    assert.deepEqual(settings(unit, 'StartLimitIntervalSec'), ['0']);
    assert.deepEqual(settings(unit, 'Restart'), ['always']);
  });
});

describe('the unit of sallyportd', () => {
  it('needs all three sockets, and accepts no others', () => {
    const all = Object.keys(sockets)
      .map((name) => `sallyport-${name}.socket`)
      .join(' ');
    for (const key of ['Requires', 'Sockets', 'Also']) assert.deepEqual(settings(unit, key), [all], key);
    assert.equal(settings(unit, 'After')[0], all);
  });

  it('starts it with the configuration of the system, as a separate account', () => {
    assert.ok(settings(unit, 'ExecStart')[0]?.endsWith(`/daemon/main.js --config ${defaultConfigFile}`));
    assert.ok(
      settings(unit, 'ExecReload')[0]?.endsWith(`/daemon/main.js --check --config ${defaultConfigFile}`),
    );
    assert.deepEqual([settings(unit, 'User'), settings(unit, 'Group')], [['sallyport'], ['sallyport']]);
    assert.equal(`/var/lib/${settings(unit, 'StateDirectory')[0]}/store`, systemPaths.store);
  });

  it('keeps settings that killed it, or leaked keys, from returning', () => {
    for (const [key, value] of Object.entries({
      Type: 'notify',
      // Node attempts optional calls; the default kills it (Debian 13).
      SystemCallErrorNumber: 'EPERM',
      LimitCORE: '0',
      MemorySwapMax: '0',
      NoNewPrivileges: 'yes',
      CapabilityBoundingSet: '',
      ProtectSystem: 'strict',
      RestrictAddressFamilies: 'AF_UNIX AF_INET AF_INET6',
    }))
      assert.deepEqual(settings(unit, key), [value], key);
    // With it the uid of a caller could not be read, and without /proc/sys the boot has no id.
    assert.deepEqual([settings(unit, 'PrivateUsers'), settings(unit, 'ProcSubset')], [[], []]);
  });

  it('has the descriptors and the time that the limits need', () => {
    const control = limits.controlConnections + limits.controlConnectionsOfPortal;
    const servers = limits.validationsVerified.all + limits.validationsUnverified.all;
    const refused = limits.refusedLingering + limits.controlRefusedLingering;
    // LevelDB keeps 1 000 tables open; helpers, timers of libuv and files being read are few.
    const others = servers * limits.validationServers + refused + 1_000 + 256;
    const logins = limits.rootConnections + limits.userConnections + limits.heldRefusals.all;
    const most = logins + control + others;
    assert.ok(limits.otherDescriptors >= refused + 256);
    assert.ok(Number(settings(unit, 'LimitNOFILE')[0]) >= most, `${most}`);
    assert.ok(Number(settings(unit, 'TimeoutStopSec')[0]) * 1_000 >= 4 * limits.stopWait);
    assert.ok(Number(settings(unit, 'TimeoutStartSec')[0]) * 1_000 > limits.startExtension);
    assert.ok(Number(settings(unit, 'TasksMax')[0]) >= 2 * limits.nssThreads + 16);
  });

  it('is valid, and exposes little', { skip }, () => {
    const place = unitsWith();
    const units = ['sallyportd.service', ...Object.keys(sockets).map((name) => `sallyport-${name}.socket`)];
    const verified = run('systemd-analyze', 'verify', ...units.map((name) => join(place, name)));
    assert.deepEqual(verified, { status: 0, output: '' });
    assert.ok(exposure(place) <= 1.5);
  });

  for (const dropIn of dropIns) {
    it(`is valid with the drop-in ${dropIn}`, { skip }, () => {
      const place = unitsWith(dropIn);
      const verified = run('systemd-analyze', 'verify', join(place, 'sallyportd.service'));
      assert.deepEqual(verified, { status: 0, output: '' });
      assert.ok(exposure(place) <= (dropIn === 'no-network' ? 0.8 : 1.5));
    });
  }
});

describe('accounts and directories', () => {
  const isRoot = process.geteuid?.() === 0;
  const noTools = missing('systemd-sysusers') || missing('systemd-tmpfiles');

  it('have the modes that protect the key and the store', { skip: noTools || !isRoot }, () => {
    const root = join(directory, 'root');
    for (const name of ['etc/sallyport', 'var/lib', 'run']) mkdirSync(join(root, name), { recursive: true });
    writeFileSync(join(root, 'etc/sallyport/master.key'), '', { mode: 0o644 });
    const users = run('systemd-sysusers', `--root=${root}`, join(shipped, 'sysusers.d/sallyport.conf'));
    assert.equal(users.status, 0, users.output);
    const group = readFileSync(join(root, 'etc/group'), 'utf8');
    assert.match(group, new RegExp(`^${defaultAdminGroup}:x:\\d+:$`, 'm'), 'nobody is in it');
    const made = run(
      'systemd-tmpfiles',
      '--create',
      `--root=${root}`,
      join(shipped, 'tmpfiles.d/sallyport.conf'),
    );
    assert.equal(made.status, 0, made.output);
    const uid = Number(/^sallyport:x:(\d+):/m.exec(readFileSync(join(root, 'etc/passwd'), 'utf8'))?.[1]);
    const found = ['etc/sallyport', 'etc/sallyport/master.key', 'var/lib/sallyport', 'run/sallyport'].map(
      (path) => {
        const { mode, uid: owner } = statSync(join(root, path));
        return `${path} ${(mode & 0o777).toString(8)} ${owner === uid ? 'sallyport' : owner}`;
      },
    );
    assert.deepEqual(found, [
      'etc/sallyport 755 0',
      'etc/sallyport/master.key 600 sallyport',
      'var/lib/sallyport 700 sallyport',
      'run/sallyport 755 0',
    ]);
  });
});
