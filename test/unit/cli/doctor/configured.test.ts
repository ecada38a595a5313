import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { lookAtConfig } from '../../../../cli/doctor/configured.ts';
import type { Finding } from '../../../../cli/doctor/contract.ts';
import { examine } from '../../../../cli/doctor/examine.ts';
import { FakeMachine } from '../../../support/doctor-machine.ts';

/** Names in a configuration that the machine does not have. */

const file = '/etc/sallyport/sallyport.toml';
const withRealm = (lines: string): FakeMachine => {
  const machine = new FakeMachine();
  machine.groups.staff = 'staff:x:50:bob';
  machine.configText = `[[realm]]\nname = "staff"\n${lines}\n[[realm]]\nname = "default"\nrequire = "none"\n`;
  return machine;
};
async function look(machine: FakeMachine) {
  const read = await machine.config();
  assert.equal(read.kind, 'good', JSON.stringify(read));
  if (read.kind !== 'good') throw new Error('not good');
  return lookAtConfig(machine, read.config);
}
const bad = (findings: readonly Finding[]) => findings.flatMap((one) => (one.severity === 'ok' ? [] : [one]));

describe('a configuration and its machine', () => {
  test('a group that does not exist: file, line, what was meant, and which logins are refused', async () => {
    const { findings, refusing } = await look(withRealm('members = { groups = ["staf"] }\nrequire = "any"'));
    const [one, ...more] = bad(findings);
    assert.deepEqual([one?.id, more], ['realm.group-gone', []]);
    assert.match(
      one?.summary ?? '',
      new RegExp(`^${file}:1: .*group staf, which does not exist; did you mean staff\\?`),
    );
    assert.match(one?.impact ?? '', /refused/);
    assert.match(one?.fix ?? '', /groupadd staf/);
    assert.deepEqual(refusing, [{ realm: 'staff', group: 'staf' }]);
  });

  test('a source of NSS that does not answer: unknown, and never "does not exist"', async () => {
    const machine = withRealm('members = { groups = ["remote"], users = ["carol"] }\nrequire = "any"');
    machine.silentSources.add('group').add('passwd');
    const { findings, refusing } = await look(machine);
    assert.deepEqual(
      bad(findings).map(({ id }) => id),
      ['realm.group-unknown', 'not-checked'],
    );
    for (const one of bad(findings)) {
      assert.match(one.summary, /not known/);
      assert.doesNotMatch(one.summary + one.fix, /does not exist|groupadd|did you mean/);
    }
    assert.equal(refusing.length, 1, 'it refuses all the same while it lasts');
  });

  test('a group that does not exist, while all realms from there on are in observe mode, refuses nothing yet', async () => {
    const machine = withRealm('members = { groups = ["staf"] }\nrequire = "any"\nobserve = true');
    machine.configText = machine.configText?.replace('require = "none"', 'require = "none"\nobserve = true');
    const { findings, refusing } = await look(machine);
    assert.deepEqual(
      bad(findings).map(({ id }) => id),
      ['realm.group-observed'],
    );
    assert.deepEqual(refusing, []);
    machine.configText = machine.configText?.replace(/observe = true\n$/, '');
    assert.deepEqual((await look(machine)).refusing, [{ realm: 'staff', group: 'staf' }]);
  });

  test('a service without a file, an account and an interface that do not exist', async () => {
    const machine = withRealm(
      'members = { users = ["alica"] }\nrequire = "any"\n[[realm.rule]]\nservices = ["ssh", "sallyport-portal"]\naction = "skip"',
    );
    const portal =
      '[webauthn]\nrp_id = "login.example.org"\n[portal]\norigins = ["https://login.example.org"]\nproxies = ["127.0.0.1"]\n';
    machine.configText = `${portal}listen = "[2001:DB8:0::9]:8443"\n${machine.configText}`;
    const findings = bad((await look(machine)).findings);
    assert.deepEqual(
      findings.map(({ id }) => id),
      ['realm.user-gone', 'realm.no-account', 'realm.service-unknown', 'portal.listen-elsewhere'],
    );
    assert.match(findings[0]?.summary ?? '', /did you mean alice\?/);
    assert.match(findings[2]?.summary ?? '', /:\d+: a rule names the service ssh, .*did you mean sshd\?/);
    machine.interfaces.push('2001:db8::9');
    assert.ok(!bad((await look(machine)).findings).some(({ id }) => id === 'portal.listen-elsewhere'));
  });

  test('a service of secrets_in without a file', async () => {
    const machine = withRealm('require = "any"\nmembers = { uids = ["1-2"] }');
    machine.configText = `secrets_in = ["sudoo", "sudo"]\n${machine.configText}`;
    const findings = bad((await look(machine)).findings);
    assert.deepEqual(
      findings.map(({ id, summary }) => [id, summary]),
      [
        [
          'realm.service-unknown',
          'secrets_in names the service sudoo, which has no file in /etc/pam.d; did you mean sudo?',
        ],
      ],
    );
  });

  test('services that cannot be listed are unknown', async () => {
    const machine = withRealm(
      'require = "any"\nmembers = { uids = ["1-2"] }\n[[realm.rule]]\nservices = ["ssh"]\naction = "skip"',
    );
    machine.stacks = {};
    assert.deepEqual(
      bad((await look(machine)).findings).map(({ id }) => id),
      ['not-checked'],
    );
  });

  test('in a private directory the portal needs no account', async () => {
    const machine = new FakeMachine();
    machine.accounts['sallyport-portal'] = undefined;
    assert.deepEqual(
      bad((await look(machine)).findings).map(({ id }) => id),
      ['portal.user-gone'],
    );
    machine.rooted = true;
    assert.deepEqual((await look(machine)).findings, []);
  });
});

describe('doctor', () => {
  const idsOn = async (machine: FakeMachine) =>
    (await examine(machine)).flatMap(({ findings }) => bad(findings).map(({ id }) => id));
  const refusedForGroups = (machine: FakeMachine) => {
    machine.explained = () => ({
      decision: 'refused',
      why: 'groups-unresolved',
      realm: 'staff',
      detail: 'the group staf of this realm does not resolve, so the realm cannot be ruled out',
    });
  };

  for (const [what, guarded] of [
    ['guarded', true],
    ['not guarded', false],
  ] as const)
    test(`has one finding for a group that does not exist, ${what}, and suggests no invite`, async () => {
      const machine = new FakeMachine();
      machine.configText = machine.configText?.replace('groups = ["staff"]', 'groups = ["staf"]');
      refusedForGroups(machine);
      if (!guarded) machine.stacks = { sshd: 'auth required pam_unix.so\n' };
      const ids = await idsOn(machine);
      assert.deepEqual(
        ids.filter((id) => id.startsWith('realm.') || id.startsWith('member.')),
        ['realm.group-gone'],
      );
    });

  test('names refused accounts only if sallyportd does not know the group', async () => {
    const machine = new FakeMachine();
    refusedForGroups(machine);
    assert.deepEqual(await idsOn(machine), ['member.unresolved']);
  });

  test('says how to unlock a locked account while no service is protected', async () => {
    const machine = new FakeMachine();
    machine.stacks = { sshd: 'auth required pam_unix.so\n' };
    machine.explained = (user) =>
      user === 'alice'
        ? { decision: 'refused', why: 'locked', detail: 'too many wrong answers' }
        : { decision: 'refused', why: 'no-factor', detail: 'has no factor' };
    const found = (await examine(machine)).flatMap(({ findings }) => bad(findings));
    const ready = found.filter(({ id }) => id === 'member.not-ready');
    assert.deepEqual(
      ready.map(({ accounts, fix }) => [accounts, fix]),
      [
        [['root', 'bob'], 'sallyport invite USER, or: sallyport factor add totp USER'],
        [['alice'], 'sallyport user unlock alice'],
      ],
    );
  });
});
