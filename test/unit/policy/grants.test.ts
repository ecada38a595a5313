import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '../../../daemon/limits.ts';
import type { Grant, LoginFacts } from '../../../daemon/policy/contract.ts';
import { activeGrant, grantOrigin, issueGrant, mayRemember } from '../../../daemon/policy/grants.ts';
import { facts, minute, now, onTerminal, overUserSocket } from './support.ts';

const without = (login: LoginFacts, ...keys: (keyof LoginFacts)[]) =>
  Object.fromEntries(
    Object.entries(login).filter(([key]) => !keys.includes(key as keyof LoginFacts)),
  ) as unknown as LoginFacts;

describe('what a grant is bound to', () => {
  const rows: [string, LoginFacts, string | undefined][] = [
    ['a source address', facts(), 'ip:203.0.113.5'],
    ['an address, whatever the tty', facts({ session: '7' }), 'ip:203.0.113.5'],
    ['a terminal', onTerminal(), 'tty:/dev/pts/3 session:7 boot:boot-1'],
    [
      'a host name is no address',
      without(facts({ rhost: 'host.example', session: '7' }), 'source'),
      undefined,
    ],
    ['no session', without(onTerminal(), 'session'), undefined],
    ['no tty', without(onTerminal(), 'tty'), undefined],
    ['an empty tty', onTerminal({ tty: '' }), undefined],
    ['an empty boot id', onTerminal({ bootId: '' }), undefined],
    ['a tty that would read like more', onTerminal({ tty: 'x session:9' }), undefined],
    ['pam-user.sock', facts(overUserSocket), undefined],
  ];
  for (const [what, login, origin] of rows) {
    it(what, () => assert.equal(grantOrigin(login), origin));
  }

  it('is created only after a login with a verified first factor', () => {
    assert.equal(mayRemember(facts()), true);
    assert.equal(mayRemember(facts({ firstFactorVerified: false })), false);
    assert.equal(mayRemember(facts(overUserSocket)), false);
  });
});

describe('a grant', () => {
  const given = issueGrant([], { realm: 'staff', facts: onTerminal(), now, target: undefined });
  const runs = (at: number, part: Partial<{ realm: string; target: string; facts: LoginFacts }> = {}) =>
    activeGrant(given, { realm: 'staff', target: 'alice', facts: onTerminal(), ...part }, 15 * minute, at) !==
    undefined;

  it('lasts from its start for as long as the rule says', () => {
    assert.equal(runs(now), true);
    assert.equal(runs(now + 15 * minute - 1), true);
    assert.equal(runs(now + 15 * minute), false);
  });

  it('is void when the clock is before its start', () => assert.equal(runs(now - 1), false));

  const others: [string, Parameters<typeof runs>[1]][] = [
    ['realm', { realm: 'other' }],
    ['service', { facts: onTerminal({ service: 'su' }) }],
    ['tty', { facts: onTerminal({ tty: '/dev/pts/4' }) }],
    ['session', { facts: onTerminal({ session: '8' }) }],
    ['boot', { facts: onTerminal({ bootId: 'boot-2' }) }],
    ['source', { facts: facts({ service: 'sudo' }) }],
    ['socket', { facts: onTerminal(overUserSocket) }],
  ];
  for (const [what, part] of others) {
    it(`does not apply to another ${what}`, () => assert.equal(runs(now, part), false));
  }

  it('never matches a login of unknown origin', () => {
    const nowhere: Grant[] = [{ realm: 'staff', service: 'sudo', origin: 'undefined', since: now }];
    const login = { realm: 'staff', target: 'alice', facts: without(onTerminal(), 'tty') };
    assert.equal(activeGrant(nowhere, login, minute, now), undefined);
  });

  it('of su for one account does not apply to another', () => {
    const su = onTerminal({ service: 'su' });
    const grants = issueGrant([], { realm: 'staff', facts: su, now, target: 'root' });
    const login = (target: string) => ({ realm: 'staff', target, facts: su });
    assert.ok(activeGrant(grants, login('root'), minute, now));
    assert.equal(activeGrant(grants, login('bob'), minute, now), undefined);
  });
});

describe('issuing a grant', () => {
  const login = (part: Partial<LoginFacts> = {}) => ({
    realm: 'staff',
    facts: facts(part),
    now,
    target: undefined,
  });

  it('replaces the one with the same binding, and no other', () => {
    const first = issueGrant([], { ...login(), now: now - minute });
    const other = issueGrant(first, { ...login({ source: '203.0.113.6' }), now: now - minute });
    const again = issueGrant(other, login());
    assert.deepEqual(
      again.map(({ origin, since }) => [origin, since]),
      [
        ['ip:203.0.113.6', now - minute],
        ['ip:203.0.113.5', now],
      ],
    );
  });

  it('issues nothing where nothing may be remembered', () => {
    for (const part of [{ firstFactorVerified: false }, overUserSocket])
      assert.deepEqual(issueGrant([], login(part)), []);
    assert.deepEqual(issueGrant([], { ...login(), facts: without(onTerminal(), 'session') }), []);
  });

  it('drops those that begin after now: the clock was set back', () => {
    const later = issueGrant([], { ...login({ source: '203.0.113.6' }), now: now + minute });
    assert.deepEqual(
      issueGrant(later, login()).map(({ origin }) => origin),
      ['ip:203.0.113.5'],
    );
  });

  it('keeps the newest, up to the limit', () => {
    let grants: readonly Grant[] = [];
    for (let i = 0; i <= limits.grantsPerAccount; i++) {
      assert.equal(grants.length, i);
      grants = issueGrant(grants, { ...login({ source: `198.51.100.${i}` }), now: now + i });
      if (i + 1 === limits.grantsPerAccount) break;
    }
    assert.equal(grants.length, limits.grantsPerAccount);
    const more = issueGrant(grants, { ...login({ source: '198.51.100.200' }), now: now + minute });
    assert.equal(more.length, limits.grantsPerAccount);
    assert.equal(more.at(-1)?.origin, 'ip:198.51.100.200');
    assert.ok(!more.some(({ origin }) => origin === 'ip:198.51.100.0'));
  });
});
