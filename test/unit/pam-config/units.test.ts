import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { defaultConfigFile, notifyUser, systemPaths } from '../../../daemon/config/defaults.ts';
import { limits } from '../../../daemon/limits.ts';
import { limits as portalLimits } from '../../../portal/limits.ts';
import { projectRoot } from '../../support/project.ts';

/** The files for the portal, and for the helpers of security keys and PAM, as systemd and udev read them. */
const shipped = join(projectRoot, 'pam-config');
const text = (name: string) => readFileSync(join(shipped, name), 'utf8');
const directory = mkdtempSync(join(tmpdir(), 'sallyport-units-'));
after(() => rmSync(directory, { recursive: true }));

const helpers = ['sallyport-fido', 'sallyport-password'];
const serviceOf = (helper: string) => join(directory, `${helper}@.service`);
const socketOf = (helper: string) => join(directory, `${helper}.socket`);
const portal = join(directory, 'sallyport-portal.service');
const notify = join(directory, 'sallyport-notify.service');
const services = [...helpers.map(serviceOf), portal, notify];
cpSync(join(shipped, 'systemd'), directory, { recursive: true });
// Programs that are not installed cannot be executed, and must be the only finding.
for (const service of services)
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
  it('are valid', analyze, () => {
    const units = [...services, ...helpers.map(socketOf), socketOf('sallyport-portal')];
    assert.deepEqual(run('systemd-analyze', 'verify', ...units), { status: 0, output: '' });
  });

  it('expose little', analyze, () => {
    for (const service of services) {
      const options = ['--offline=true', '--no-pager', '--threshold=20'];
      const { status, output } = run('systemd-analyze', 'security', ...options, service);
      assert.equal(status, 0, output);
      const level = Number(/Overall exposure level .*: ([\d.]+)/.exec(output)?.[1]);
      assert.ok(level <= 1, `${level}`);
    }
  });

  it('that rolls a trial back may write to /etc, and not much else', analyze, () => {
    const unit = join(directory, 'sallyport-pam-revert.service');
    assert.deepEqual(run('systemd-analyze', 'verify', unit), { status: 0, output: '' });
    const { status, output } = run(
      'systemd-analyze',
      'security',
      '--offline=true',
      '--no-pager',
      '--threshold=15',
      unit,
    );
    assert.equal(status, 0, output);
    // "full" and "strict" make /etc read-only, whatever ReadWritePaths says.
    assert.deepEqual(settings('systemd/sallyport-pam-revert.service', 'ProtectSystem'), ['yes']);
    const before = settings('systemd/sallyport-pam-revert.service', 'Before').join(' ').split(' ');
    for (const login of ['ssh.service', 'sshd.service', 'systemd-user-sessions.service'])
      assert.ok(before.includes(login));
  });

  it('admit only sallyportd, and bound the processes', () => {
    for (const [helper, most] of [
      ['fido', 16],
      ['password', limits.passwordChecks],
    ] as const) {
      const unit = `systemd/sallyport-${helper}.socket`;
      assert.deepEqual(settings(unit, 'SocketUser'), ['sallyport']);
      assert.deepEqual(settings(unit, 'SocketMode'), ['0600']);
      assert.deepEqual(settings(unit, 'Accept'), ['yes']);
      assert.deepEqual(settings(unit, 'ListenStream'), [systemPaths[`${helper}Socket`]]);
      assert.equal(Number(settings(unit, 'MaxConnections')[0]), most);
    }
  });

  it("give the PAM helper the connection, and none of root's capabilities", () => {
    const unit = 'systemd/sallyport-password@.service';
    for (const [key, value] of Object.entries({
      ExecStart: '/usr/libexec/sallyport/sallyport-password',
      StandardInput: 'socket',
      StandardOutput: 'socket',
      CapabilityBoundingSet: '',
      NoNewPrivileges: 'yes',
      RestrictAddressFamilies: 'AF_UNIX',
      RuntimeMaxSec: `${limits.longestPasswordDeadline / 1_000}`,
      LimitCORE: '0',
    }))
      assert.deepEqual(settings(unit, key), [value], key);
    // With it the uid of the caller could not be read.
    assert.deepEqual(settings(unit, 'PrivateUsers'), []);
    assert.deepEqual(settings(unit, 'User'), []);
  });

  it('give the helper its own uid, hidraw, the connection and no more time than a request takes', () => {
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

describe('the unit of the portal', () => {
  const unit = 'systemd/sallyport-portal.service';

  it('gives it the port, and no network', () => {
    const socket = 'systemd/sallyport-portal.socket';
    // The portal accepts one socket.
    assert.deepEqual(settings(socket, 'ListenStream'), ['443']);
    assert.deepEqual(settings(socket, 'Accept'), []);
    for (const [key, value] of Object.entries({
      Requires: 'sallyport-portal.socket',
      PrivateNetwork: 'yes',
      RestrictAddressFamilies: 'AF_UNIX',
      IPAddressDeny: 'any',
      CapabilityBoundingSet: '',
      NoNewPrivileges: 'yes',
      LimitCORE: '0',
    }))
      assert.deepEqual(settings(unit, key), [value], key);
  });

  it('runs it as the account by which sallyportd knows it', () => {
    const [program] = settings(unit, 'ExecStart');
    assert.ok(program?.endsWith(`/portal/main.js --config ${defaultConfigFile}`), program);
    assert.deepEqual(settings(unit, 'User'), ['sallyport-portal']);
    assert.match(text('sysusers.d/sallyport-portal.conf'), /^u sallyport-portal - /m);
    assert.match(text('sallyport.toml.sample'), /^user += +"sallyport-portal"/m);
  });

  it('has the descriptors that its limits need', () => {
    const { connections, liveSockets } = portalLimits;
    const most = connections + liveSockets + limits.controlConnectionsOfPortal;
    assert.ok(Number(settings(unit, 'LimitNOFILE')[0]) > most + 256, `${most}`);
  });
});

describe('the unit of the hook', () => {
  const unit = 'systemd/sallyport-notify.service';

  it('runs it as the account that may follow events, without network, keys or store', () => {
    const [program] = settings(unit, 'ExecStart');
    assert.ok(program?.endsWith(`/notify/main.js --config ${defaultConfigFile}`), program);
    assert.match(text('sysusers.d/sallyport-notify.conf'), new RegExp(`^u ${notifyUser} - `, 'm'));
    for (const [key, value] of Object.entries({
      User: notifyUser,
      StateDirectory: 'sallyport-notify',
      PrivateNetwork: 'yes',
      RestrictAddressFamilies: 'AF_UNIX',
      CapabilityBoundingSet: '',
      NoNewPrivileges: 'yes',
      KillMode: 'control-group',
      InaccessiblePaths: '-/etc/sallyport/master.key -/var/lib/sallyport',
    }))
      assert.deepEqual(settings(unit, key), [value], key);
  });
});

describe('the udev rule', () => {
  const [rule = '', ...more] = lines('udev/70-sallyport-fido.rules');

  it('gives FIDO devices, and nothing else, to the group of the helper', () => {
    assert.deepEqual(more, []);
    const [group] = settings('systemd/sallyport-fido@.service', 'Group');
    assert.match(rule, /SUBSYSTEM=="hidraw", ENV\{ID_FIDO_TOKEN\}=="1",/);
    assert.ok(rule.endsWith(`GROUP="${group}", MODE="0660"`), rule);
  });

  it('is valid', () => {
    const file = join(shipped, 'udev/70-sallyport-fido.rules');
    const verified = run('udevadm', 'verify', '--resolve-names=never', file);
    // systemd 254 and newer; older ones do not know the command.
    if (!/Unknown command|unrecognized/.test(verified.output) && has('udevadm'))
      assert.equal(verified.status, 0, verified.output);
    assert.match(rule, /^(\w+(\{\w+\})?(==|!=|=)"[^"]*"(, |$))+$/);
  });
});

describe('the users', () => {
  it('are created by systemd-sysusers', { skip: has('systemd-sysusers') ? false : 'it is not here' }, () => {
    for (const name of ['sallyport-fido', 'sallyport-notify', 'sallyport-portal']) {
      const file = join(shipped, `sysusers.d/${name}.conf`);
      const { status, output } = run('systemd-sysusers', '--dry-run', `--root=${directory}`, file);
      assert.equal(status, 0, output);
      assert.match(output, new RegExp(`user '?${name}`));
    }
  });
});
