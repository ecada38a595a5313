import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import type { Finding } from '../../../../cli/doctor/contract.ts';
import { examine } from '../../../../cli/doctor/examine.ts';
import { createMembersCheck } from '../../../../cli/doctor/members.ts';
import { nameInCommand } from '../../../../cli/doctor/names.ts';
import { realmsCheck } from '../../../../cli/doctor/realms.ts';
import { tell } from '../../../../cli/doctor/report.ts';
import type { World } from '../../../../cli/lib/environment.ts';
import { createOutput } from '../../../../cli/lib/output.ts';
import { ControlError } from '../../../../daemon/client/client.ts';
import { written } from '../../../support/cli-in-process.ts';
import { FakeMachine } from '../../../support/doctor-machine.ts';

async function found(machine: FakeMachine, most?: number): Promise<readonly Finding[]> {
  const [one] = await examine(machine, [createMembersCheck(most)]);
  return one?.findings ?? [];
}
const about = (findings: readonly Finding[], id: string) =>
  findings.find((one) => one.severity !== 'ok' && one.id === id);

describe('examined accounts', () => {
  test('root, users with a shell, names in realms; service accounts only with a password', async () => {
    const machine = new FakeMachine();
    machine.passwd = [
      ...['root:x:0:0::/root:/bin/bash', 'dave:x:1001:1001::/:/bin/sh', 'daemon:x:1:1::/:/usr/sbin/nologin'],
      ...['postgres:x:110:110::/:/bin/bash', 'backup:x:34:34::/:/bin/sh'],
    ].join('\n');
    machine.change('/etc/shadow', {}, 'root:*:1\npostgres:!:1\nbackup:$6$x$y:1\ndave:!:1\n');
    const asked = new Set<string>();
    machine.explained = (user) => {
      asked.add(user);
      return {};
    };
    await found(machine);
    assert.deepEqual([...asked].sort(), ['alice', 'backup', 'bob', 'dave', 'root']);
  });

  test('no more than the limit, which is reported', async () => {
    const machine = new FakeMachine();
    machine.statusNow = { ...machine.statusNow, store: { ...machine.statusNow.store, accounts: 500 } };
    const findings = await found(machine, 2);
    assert.match(about(findings, 'not-checked')?.summary ?? '', /^498 of 500 accounts/);
    assert.ok(
      findings.every(({ severity }) => severity !== 'ok'),
      'it is not called good',
    );
  });

  test('no longer than the time limit, and findings until then are reported', async () => {
    const machine = new FakeMachine();
    const start = machine.time;
    machine.explained = () => {
      machine.time += 20_000;
      return { decision: 'refused', why: 'no-factor' };
    };
    const findings = await found(machine);
    assert.ok(about(findings, 'member.no-factor') !== undefined);
    assert.match(about(findings, 'not-checked')?.summary ?? '', /^\d of 3 accounts/);
    assert.ok(machine.time - start < 300_000);
  });
});

describe('findings', () => {
  test('one for each reason and realm, with all its accounts, eight by name', async () => {
    const machine = new FakeMachine();
    const names = Array.from({ length: 12 }, (_, index) => `user${index}`);
    machine.groups.staff = `staff:x:50:${names.join(',')}`;
    machine.explained = (user) =>
      user.startsWith('user') ? { decision: 'refused', why: 'no-factor', detail: 'none' } : {};
    const findings = await found(machine);
    const one = about(findings, 'member.no-factor');
    assert.equal(findings.filter(({ severity }) => severity === 'error').length, 1);
    assert.match(one?.summary ?? '', /and 4 more: realm "staff" \(line 11\): none$/);
    assert.deepEqual(
      one !== undefined && 'accounts' in one ? one.accounts?.toSorted() : [],
      names.toSorted(),
    );
  });

  test('services are named if not all are affected', async () => {
    const machine = new FakeMachine();
    machine.explained = (user, service) =>
      user === 'alice' && service === 'sudo' ? { decision: 'refused', why: 'no-accepted-factor' } : {};
    assert.match(
      about(await found(machine), 'member.no-accepted-factor')?.summary ?? '',
      /^alice for sudo: /,
    );
  });

  test('root, whom sshd refuses by itself, lacks nothing there', async () => {
    const machine = new FakeMachine();
    machine.stacks = { sshd: machine.stacks.sshd ?? '' };
    machine.explained = (user) => (user === 'root' ? { decision: 'refused', why: 'no-factor' } : {});
    assert.ok(about(await found(machine), 'member.no-factor') !== undefined);
    machine.sshd = machine.sshd.replace('permitrootlogin yes', 'permitrootlogin no');
    assert.equal(about(await found(machine), 'member.no-factor'), undefined);
  });

  test('a deleted account is no finding; a daemon that stops meanwhile is one', async () => {
    const machine = new FakeMachine();
    machine.explained = (user) => (user === 'bob' ? new ControlError('no-such-account', 'gone') : {});
    assert.ok((await found(machine)).every(({ severity }) => severity === 'ok'));
    machine.explained = () => new ControlError('daemon-unreachable', 'gone');
    assert.ok(about(await found(machine), 'check-failed') !== undefined);
  });

  test('users other than root get their own, and a note that the others were not checked', async () => {
    const machine = new FakeMachine();
    machine.uid = 1000;
    machine.user = 'alice';
    machine.statusError = new ControlError('not-permitted', 'root and its administrators may');
    machine.explained = (user) => (user === 'alice' ? { decision: 'refused', why: 'no-factor' } : {});
    const findings = await found(machine);
    assert.match(about(findings, 'member.no-factor')?.summary ?? '', /^alice: /);
    assert.equal(about(findings, 'not-checked')?.summary, 'the other accounts');
  });
});

describe('invalid names from a directory service', () => {
  const forged = 'eve\n  DANGER   all is lost  [root.no-way-in]';
  const strange = [forged, '\x1b[2J\x1b[31mmallory', 'x'.repeat(10_240), '\x9b1mjohn'];
  const hostile = (members: readonly string[]): FakeMachine => {
    const machine = new FakeMachine();
    machine.groups.staff = `staff:x:50:${members.join(',')}`;
    return machine;
  };
  /** As a terminal shows it. */
  const screen = async (machine: FakeMachine): Promise<string> => {
    const [output, error] = [written(80), written(80)];
    const world: World = {
      input: Readable.from([]),
      output,
      error,
      environment: { NO_COLOR: '1' },
      daemonMain: '',
      version: machine.version,
      now: machine.now,
      onInterrupt: () => undefined,
    };
    tell(createOutput(world), await examine(machine, [createMembersCheck()]), true);
    return output.text();
  };

  test('sallyportd is asked only about possible account names', async () => {
    const machine = hostile([...strange, 'carol']);
    const asked = new Set<string>();
    machine.explained = (user) => {
      asked.add(user);
      if (strange.includes(user)) throw new Error('it does not take such a name');
      return {};
    };
    const findings = await found(machine);
    assert.ok(asked.has('carol'), 'a break in a name hides no member behind it');
    assert.deepEqual(
      [...asked].filter((name) => strange.includes(name)),
      [],
    );
    const bad = about(findings, 'member.bad-name');
    assert.ok(bad !== undefined && 'accounts' in bad);
    assert.deepEqual(bad.accounts, strange);
    assert.equal(about(findings, 'check-failed'), undefined);
  });

  test('forge no line, control no terminal and fill no screen', async () => {
    const text = await screen(hostile([...strange, 'carol']));
    assert.match(text, /eve\\u\{a\} {2}DANGER/);
    assert.doesNotMatch(text, /^ +DANGER/m);
    assert.doesNotMatch(text, /[^\P{Cc}\n]/u);
    assert.ok(text.length < 2_000, String(text.length));
  });

  test('a group for which getent prints nothing is not called empty, and its members are not examined', async () => {
    const machine = new FakeMachine();
    machine.commands['getent -- group staff'] = { status: 0, stdout: '' };
    const findings = await found(machine);
    assert.match(
      about(findings, 'not-checked')?.summary ?? '',
      /the members of the group staff: getent prints none/,
    );
    const [realms] = await examine(machine, [realmsCheck]);
    assert.deepEqual(
      realms?.findings.flatMap((one) => (one.severity === 'ok' ? [] : [one.id])),
      [],
    );
  });

  test('are one word of a shell in a command', async () => {
    const names = ['$(reboot)', 'a;b', "o'neil", '-rf', 'CORP\\user', 'user@corp.example'];
    for (const name of names) {
      const machine = hostile([name]);
      machine.explained = (user) => (user === name ? { decision: 'refused', why: 'locked' } : {});
      const finding = about(await found(machine), 'member.locked');
      assert.ok(finding !== undefined && 'fix' in finding, name);
      assert.equal(finding.fix, `sallyport user unlock ${nameInCommand(name)}`);
    }
    assert.deepEqual(names.map(nameInCommand), [
      "'$(reboot)'",
      "'a;b'",
      "'o'\\''neil'",
      '-- -rf',
      "'CORP\\user'",
      'user@corp.example',
    ]);
  });
});
