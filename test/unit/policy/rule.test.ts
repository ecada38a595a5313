import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Source } from '../../../daemon/config/contract.ts';
import type { LoginFacts } from '../../../daemon/policy/contract.ts';
import { matchingRule } from '../../../daemon/policy/rule.ts';
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

  it('takes a source that is no address to be in no network, not even in the whole of them', () => {
    const { source: _, ...named } = facts({ rhost: 'host.example' });
    assert.equal(matches({ from: [all, six, local] }, named), false);
    assert.equal(matches({}, named), true);
  });

  it('needs service and source both', () => {
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
