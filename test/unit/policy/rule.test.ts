import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Rule, Source } from '../../../daemon/config/contract.ts';
import type { LoginFacts } from '../../../daemon/policy/contract.ts';
import { matchingRule } from '../../../daemon/policy/realm.ts';
import { facts, onTerminal, overUserSocket, realm, rule } from './support.ts';

const ten: Source = { kind: 'network', family: 'ipv4', address: '10.0.0.0', prefix: 8 };
const six: Source = { kind: 'network', family: 'ipv6', address: '2001:db8::', prefix: 32 };
const all: Source = { kind: 'network', family: 'ipv4', address: '0.0.0.0', prefix: 0 };
const local: Source = { kind: 'local' };

const matches = (part: Parameters<typeof rule>[1], login: LoginFacts) =>
  matchingRule(realm({ rules: [rule({ kind: 'skip' }, part)] }), login) !== undefined;

describe('a rule', () => {
  it('matches everything when it names nothing', () => {
    assert.equal(matches({}, facts()), true);
    assert.equal(matches({}, onTerminal()), true);
  });

  it('matches a service by its whole name', () => {
    assert.equal(matches({ services: ['sudo', 'sshd'] }, facts()), true);
    assert.equal(matches({ services: ['ssh', 'sshd2', 'SSHD'] }, facts()), false);
  });

  const rows: [string, Source[], Partial<LoginFacts>, boolean][] = [
    ['an address inside', [ten], { source: '10.9.8.7' }, true],
    ['an address outside', [ten], { source: '11.0.0.1' }, false],
    ['one of several networks', [six, ten], { source: '10.9.8.7' }, true],
    ['an IPv6 address', [six], { source: '2001:db8::7' }, true],
    ['the other family', [six], { source: '10.9.8.7' }, false],
    ['local', [local], { local: true }, true],
    ['not local', [local], { local: false }, false],
    ['a local login is in no network', [all], { local: true }, false],
  ];
  for (const [what, from, part, expected] of rows) {
    it(`matches by source: ${what}`, () => {
      const base = part.source === undefined ? onTerminal() : facts();
      assert.equal(matches({ from }, { ...base, ...part }), expected);
    });
  }

  it('treats a source that is not an address as in no network, not even in one that covers all', () => {
    const { source: _, ...named } = facts({ rhost: 'host.example' });
    assert.equal(matches({ from: [all, six, local] }, named), false);
    assert.equal(matches({}, named), true);
  });

  it('needs both service and source', () => {
    const part = { services: ['sshd'], from: [ten] };
    assert.equal(matches(part, facts({ source: '10.0.0.1' })), true);
    assert.equal(matches(part, facts({ source: '10.0.0.1', service: 'sudo' })), false);
    assert.equal(matches(part, facts({ source: '11.0.0.1' })), false);
  });

  it('matches nothing on pam-user.sock', () => {
    for (const action of [{ kind: 'skip' }, { kind: 'refuse' }] as const) {
      const only = realm({ rules: [rule(action)] });
      assert.equal(matchingRule(only, facts({ ...overUserSocket, local: true })), undefined);
    }
  });
});

describe('sign-ins', () => {
  const signIn = (service: string) => facts({ service });

  it('of the command are refused by a rule for the portal, and by one of their own name', () => {
    const refuse = { kind: 'refuse' } as const;
    for (const [services, portal, command] of [
      [['sallyport-portal'], true, true],
      [['sallyport'], false, true],
      [['sshd'], false, false],
    ] as const) {
      const only = realm({ rules: [rule(refuse, { services })] });
      assert.equal(matchingRule(only, signIn('sallyport-portal')) !== undefined, portal, services[0]);
      assert.equal(matchingRule(only, signIn('sallyport')) !== undefined, command, services[0]);
    }
  });

  it('are allowed by no rule, whatever it is', () => {
    for (const service of ['sallyport', 'sallyport-portal'])
      for (const action of [{ kind: 'skip' }, { kind: 'remember', forMs: 60_000 }] as const)
        assert.equal(matchingRule(realm({ rules: [rule(action)] }), signIn(service)), undefined);
  });
});

describe('rules', () => {
  it('are tried in order, and the first that matches decides', () => {
    const rules = [
      rule({ kind: 'refuse' }, { line: 1, services: ['sudo'] }),
      rule({ kind: 'ask' }, { line: 2, from: [ten] }),
      rule({ kind: 'skip' }, { line: 3 }),
    ];
    assert.equal(matchingRule(realm({ rules }), facts({ source: '10.0.0.1' }))?.line, 2);
    assert.equal(matchingRule(realm({ rules }), facts())?.line, 3);
    assert.equal(matchingRule(realm({ rules }), onTerminal())?.line, 1);
    assert.equal(matchingRule(realm({ rules: rules.slice(0, 2) }), facts()), undefined);
  });
});

describe('rules, with an unknown source', () => {
  const { source: _, ...named } = facts({ rhost: 'host.example' });
  const unknown: [string, LoginFacts][] = [
    ['a host name in the place of an address', named],
    ['no host at all', onTerminal()],
  ];
  const refuse = { kind: 'refuse' } as const;
  const ask = { kind: 'ask' } as const;
  const skip = { kind: 'skip' } as const;
  const remember = (minutes: number) => ({ kind: 'remember', forMs: minutes * 60_000 }) as const;
  const accept = { kind: 'accept', factor: 'ssh-sk' } as const;
  const from = [ten];
  const lineOf = (login: LoginFacts, ...actions: [Rule['action'], Source[]?][]) =>
    matchingRule(
      realm({
        rules: actions.map(([action, places], index) =>
          rule(action, { line: index + 1, ...(places === undefined ? {} : { from: places }) }),
        ),
      }),
      login,
    )?.line;

  for (const [what, login] of unknown) {
    it(`refuse with a rule that names sources, with ${what}`, () => {
      assert.equal(lineOf(login, [refuse, from]), 1);
      assert.equal(lineOf(login, [refuse, [six]], [skip]), 1);
      assert.equal(lineOf(login, [skip, [all]], [ask, from], [refuse, [six]], [skip]), 3);
      assert.equal(lineOf(login, [ask], [refuse, from]), 1);
    });

    it(`never allow by a rule that names sources, with ${what}`, () => {
      for (const lax of [skip, remember(15), accept])
        assert.equal(lineOf(login, [lax, [all, six]]), undefined);
    });

    it(`ask if a rule that names sources asks, with ${what}`, () => {
      assert.equal(lineOf(login, [ask, from], [skip]), 1);
      assert.equal(lineOf(login, [ask, from], [refuse]), 2);
    });

    it(`use the stricter of two rules that allow, and ask if neither is stricter, with ${what}`, () => {
      assert.equal(lineOf(login, [skip, from], [remember(15)]), 2);
      assert.equal(lineOf(login, [remember(60), from], [remember(15)]), 2);
      assert.equal(lineOf(login, [remember(15), from], [remember(60)]), undefined);
      assert.equal(lineOf(login, [remember(15), from], [skip]), undefined);
      assert.equal(lineOf(login, [accept, from], [remember(15)]), undefined);
      assert.equal(lineOf(login, [skip, from], [accept]), 2);
    });
  }

  it('know that a login with a host name is not local, and refuse if even that is unknown', () => {
    assert.equal(lineOf(named, [refuse, [local]]), undefined);
    assert.equal(lineOf(onTerminal(), [refuse, [local]]), 1);
    assert.equal(lineOf(onTerminal({ local: true }), [refuse, from]), undefined);
    assert.equal(lineOf(facts({ source: '11.0.0.1' }), [refuse, [ten, local]]), undefined);
  });

  it('check the services first', () => {
    const rules = [rule(refuse, { services: ['login'], from })];
    assert.equal(matchingRule(realm({ rules }), named), undefined);
  });
});
