import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  alsoInstalled,
  buildPackage,
  outcomes,
  PackageMachine,
  packNode,
} from '../support/package-machine.ts';
import { makeDebianRoot, type Suite } from '../support/rig/debian-root.ts';
import { repository } from '../support/rig/layout.ts';

/**
 * The package on fresh machines: a Debian 13 with its own Node, and a Debian 12 whose Node comes from elsewhere. Each
 * boots its own systemd, with its own sshd, PAM and dpkg.
 */
const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { version: string };
const nextVersion = `${version}+next1`;

let directory: string;
let packages: string;
let current: string;
let next: string;
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-package-test-'));
  packages = join(directory, 'packages');
  current = `/packages/${basename(buildPackage(packages))}`;
  next = `/packages/${basename(buildPackage(packages, nextVersion))}`;
  packNode(packages);
});
after(() => rmSync(directory, { recursive: true, force: true }));

const units = [
  ...['sallyport-control.socket', 'sallyport-pam-user.socket', 'sallyport-pam.socket'],
  ...['sallyport-fido.socket', 'sallyport-password.socket', 'sallyportd.service'],
];
const sums = 'cd /etc/pam.d && md5sum $(ls | grep -v ^sallyport-)';

it('lintian finds no error in the package', () => {
  const { status, stdout, stderr } = spawnSync(
    'lintian',
    ['--fail-on', 'error', join(packages, basename(current))],
    {
      encoding: 'utf8',
    },
  );
  assert.equal(status, 0, stdout + stderr);
});

for (const suite of ['trixie', 'bookworm'] satisfies Suite[]) {
  describe(`the package on ${suite}`, () => {
    let there: PackageMachine;
    let pamBefore: string;
    let keys: string[];
    before(async () => {
      const root = await makeDebianRoot(directory, suite, alsoInstalled);
      there = await PackageMachine.boot(root, packages);
      pamBefore = await there.must(sums);
    });
    after(() => there?.end());

    if (suite === 'bookworm')
      it('is refused before unpacking if Node is too old, and says what to do', async () => {
        const { status, said } = await there.apt('install', current);
        assert.notEqual(status, 0);
        assert.match(said, /Node of this machine is too old: 18\./);
        assert.match(said, /Nothing was unpacked/);
        assert.match(said, /install a newer nodejs package/);
        await there.must(
          'test ! -e /usr/lib/sallyport && test ! -e /etc/sallyport && test ! -e /etc/pam.d/sallyport-password',
        );
        assert.equal((await there.sh('id sallyport')).status, 1);
        await there.must(
          "apt-get purge --yes nodejs libnode108 'node-*' && dpkg --install /packages/nodejs.deb",
        );
      });

    it('installs users, directories, key, store and services, and nothing in PAM', async () => {
      const { status, said } = await there.apt('install', current);
      assert.equal(status, 0, said);
      assert.equal(await there.must(sums), pamBefore);
      assert.doesNotMatch(await there.must("grep -rlE '^[^#]*pam_sallyport' /etc/pam.d || true"), /./);
      const modes = await there.must(
        "stat -c '%a %U %G %n' /etc/sallyport /etc/sallyport/* /var/lib/sallyport /var/lib/sallyport/store /run/sallyport /run/sallyport/pam.sock",
      );
      assert.deepEqual(modes.split('\n'), [
        '755 root root /etc/sallyport',
        '600 sallyport sallyport /etc/sallyport/master.key',
        '644 root root /etc/sallyport/sallyport.toml',
        '700 sallyport sallyport /var/lib/sallyport',
        '700 sallyport sallyport /var/lib/sallyport/store',
        '755 root root /run/sallyport',
        '600 root root /run/sallyport/pam.sock',
      ]);
      for (const unit of units) {
        assert.equal(await there.machine.show(unit, 'ActiveState'), 'active', unit);
        assert.equal(await there.machine.show(unit, 'UnitFileState'), 'enabled', unit);
      }
      assert.equal(await there.machine.show('sallyport-portal.socket', 'ActiveState'), 'inactive');
      assert.equal(await there.machine.show('sallyportd', 'User'), 'sallyport');
      assert.match(await there.must('sallyportd --version'), new RegExp(`^sallyportd ${version}$`));
    });

    it('a real login over ssh asks for the second factor once sshd is protected, and a security key is accepted', async () => {
      await there.addPerson('alice');
      await there.addPerson('bob');
      keys = await there.recoveryKeys('alice');
      await there.guard();
      const [first = ''] = keys;
      assert.equal(await there.login('alice', first), outcomes.in);
      assert.equal(await there.login('alice', first), outcomes.used);
      assert.equal(await there.login('bob', ''), outcomes.in);
    });

    it('upgrades: new logins wait, logins at a prompt are asked to retry, and all data is kept', async () => {
      const [, second = '', ...others] = keys;
      const openSince = () => there.machine.show('sallyport-pam.socket', 'ActiveEnterTimestampMonotonic');
      const since = await openSince();
      const before = await there.must('sallyport factor list alice --json');
      const oldPid = await there.machine.show('sallyportd', 'MainPID');
      // A slow start, so that logins can begin during it; the module waits 5 s for a first frame.
      await there.machine.write(
        '/run/systemd/system/sallyportd.service.d/slow.conf',
        '[Service]\nExecStartPre=/usr/bin/sleep 2\n',
      );
      await there.must('systemctl daemon-reload');
      const overSsh = there.login('alice', second, '/tmp/ssh');
      const withSu = there.login('alice', second, '/tmp/su', 'su');
      await there.waitFor('they are at their prompts', 'test -e /tmp/ssh.ready && test -e /tmp/su.ready');

      const upgrade = there.apt('install', next);
      await there.waitFor(
        'the new one starts',
        'test "$(systemctl show sallyportd -P SubState)" = start-pre',
      );
      const meanwhile = others.slice(0, 6).map((key) => there.login('alice', key));
      const { status, said } = await upgrade;
      assert.equal(status, 0, said);
      await there.must('touch /tmp/su.go');
      assert.equal(await withSu, outcomes.reported);
      // sshd shows no text without a following prompt, and starts over by itself. The key was not used before.
      await there.must('touch /tmp/ssh.go');
      assert.equal(await overSsh, outcomes.inAgain);
      assert.deepEqual(
        await Promise.all(meanwhile),
        Array.from({ length: 6 }, () => outcomes.in),
      );

      assert.equal(await openSince(), since, 'the socket was never shut');
      assert.notEqual(await there.machine.show('sallyportd', 'MainPID'), oldPid);
      const status2 = JSON.parse(await there.must('sallyport status --json')) as { version: string };
      assert.equal(status2.version, nextVersion);
      const listed = (text: string) => text.match(/"id": *"[^"]+"/g);
      assert.ok(listed(before));
      assert.deepEqual(listed(await there.must('sallyport factor list alice --json')), listed(before));
    });

    it('cannot be removed while a login service names the module, and keeps protecting it', async () => {
      for (const command of ['remove', 'purge'] as const) {
        const { status, said } = await there.apt(command, 'sallyport');
        assert.notEqual(status, 0);
        assert.match(said, /sallyport: {3}\/etc\/pam\.d\/sshd\nsallyport: {3}\/etc\/pam\.d\/su\n/);
        assert.match(said, /sallyport pam disable/);
        assert.doesNotMatch(said, /sallyport-su|sallyport-password/);
      }
      assert.equal(
        await there.must("dpkg-query --status sallyport | grep '^Status'"),
        'Status: install ok installed',
      );
      for (const unit of units) assert.equal(await there.machine.show(unit, 'ActiveState'), 'active', unit);
      assert.equal(await there.login('alice', keys[8] ?? ''), outcomes.in);
    });

    it('the profile of pam-auth-update protects all logins, and is removed with the package', async () => {
      await there.unguard();
      assert.equal(await there.must(sums), pamBefore);
      assert.equal(await there.login('alice', ''), outcomes.in);
      await there.must('pam-auth-update --enable sallyport');
      assert.equal(await there.login('alice', keys[9] ?? ''), outcomes.in);
      assert.equal(await there.login('bob', ''), outcomes.in);

      const { status, said } = await there.apt('remove', 'sallyport');
      assert.equal(status, 0, said);
      assert.equal(await there.must(sums), pamBefore);
      assert.equal(await there.login('alice', ''), outcomes.in);
      await there.must('test -s /etc/sallyport/master.key && test -d /var/lib/sallyport/store');
      await there.must('test ! -e /usr/bin/sallyport && test ! -e /run/sallyport/pam.sock');
    });

    it('reinstalled, has all its data', async () => {
      const { status, said } = await there.apt('install', next);
      assert.equal(status, 0, said);
      assert.doesNotMatch(said, /^made /m);
      for (const unit of units) assert.equal(await there.machine.show(unit, 'ActiveState'), 'active', unit);
      assert.match(await there.must('sallyport factor list alice'), /recovery/);
      assert.match(await there.must('sallyport audit --user alice'), /alice\s+login\s+success/);
    });

    it('works on the store while sallyportd is stopped, with any Node', async () => {
      await there.must(
        'systemctl stop sallyport-control.socket sallyport-pam.socket sallyport-pam-user.socket sallyportd',
      );
      assert.match(await there.must('sallyport user list --offline'), /^alice\t/m);
      assert.equal(await there.must('find /var/lib/sallyport ! -user sallyport'), '');
      await there.must('systemctl start sallyportd');
    });

    it('purged, leaves nothing behind but its users', async () => {
      const { status, said } = await there.apt('purge', 'sallyport');
      assert.equal(status, 0, said);
      const left = await there.must(
        'find / -xdev -iname "*sallyport*" -not -path "/proc/*" -not -path "/packages/*" -not -path "/run/systemd/*" | sort',
      );
      assert.equal(
        left,
        '/etc/pam.d/sallyport-sshd\n/etc/pam.d/sallyport-su\n/etc/ssh/sshd_config.d/sallyport-password-code.conf',
      );
      assert.equal(await there.must(sums), pamBefore);
      assert.equal(await there.login('alice', ''), outcomes.in);
    });
  });
}
