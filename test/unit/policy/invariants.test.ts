import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decide } from '../../../daemon/policy/decide.ts';
import {
  alice,
  bypass,
  config,
  disabled,
  facts,
  hotp,
  minute,
  now,
  realm,
  recovery,
  remember,
  rule,
  scratch,
  second,
  spentScratch,
  state,
  totp,
  usedUp,
} from './support.ts';

/** What an administrator issues, in every realm, for every account and login, has its intended effect and no other. */

const all = [
  totp,
  hotp,
  recovery,
  scratch,
  spentScratch,
  usedUp,
  disabled(totp),
  disabled(scratch),
  disabled(recovery),
];
const realms = fc.record({
  require: fc.constantFrom(
    'none' as const,
    'any' as const,
    ['totp'] as const,
    ['yubikey'] as const,
    ['webauthn'] as const,
  ),
  enrol: fc.constantFrom('refuse' as const, 'at-login' as const, 'grace' as const),
  observe: fc.boolean(),
  action: fc.option(
    fc.constantFrom(
      { kind: 'skip' } as const,
      { kind: 'ask' } as const,
      { kind: 'refuse' } as const,
      remember,
    ),
  ),
});
const locks = fc.constantFrom(
  { codes: 0, any: 0 },
  { codes: 8, any: 8, codesLockedAt: now - minute },
  { codes: 0, any: 100, lockedAt: now - minute },
);
const logins = fc.record({
  service: fc.constantFrom('sshd', 'sudo', 'sallyport-portal', 'sallyport'),
  firstFactorVerified: fc.boolean(),
  rootSocket: fc.boolean(),
});
const cases = fc.record({ of: realms, factors: fc.subarray(all), lock: locks, login: logins });
type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

const decided = ({ of, factors, lock, login }: Case, part: Parameters<typeof state>[0] = {}) => {
  const { action, ...rest } = of;
  const rules = action === null ? [] : [rule(action)];
  const graced = rest.enrol === 'grace' ? { graceMs: 60 * minute } : {};
  return decide({
    config: config(realm({ ...rest, ...graced, rules })),
    account: alice,
    groups: new Map(),
    holderUid: alice.uid,
    state: state({ factors, lock, ...part }),
    facts: facts(login),
    now,
  });
};
const exemption = { since: now - second, until: now + minute, by: 'uid:0' };

describe('for every account and login', () => {
  it('a bypass code exempts no account, clears no lockout, and passes no rule that refuses', () =>
    fc.assert(
      fc.property(cases, (one) => {
        const before = decided(one);
        const after = decided(one, { factors: [...one.factors, bypass] });
        if (before.kind === 'not-needed' && before.would === undefined) assert.deepEqual(after, before);
        if (before.kind === 'refused' && ['rule-refuse', 'locked'].includes(before.why))
          assert.deepEqual(after, before);
        if (before.kind === 'refused' || before.kind === 'ask' || before.kind === 'enrol')
          assert.ok(after.kind === 'ask' || after.kind === 'refused');
        if (after.kind === 'ask' && one.lock.codes === 8) assert.ok(after.codesLocked);
      }),
      { numRuns: 2_000 },
    ));

  it('an ended bypass code is as if it had never existed', () =>
    fc.assert(
      fc.property(cases, fc.boolean(), (one, early) => {
        const gone = early ? { ...bypass, created: now + second } : { ...bypass, until: now };
        assert.deepEqual(decided(one, { factors: [...one.factors, gone] }), decided(one));
      }),
      { numRuns: 2_000 },
    ));

  it('an exemption needs only the password, and never applies in the portal or where a rule refuses', () =>
    fc.assert(
      fc.property(cases, (one) => {
        const before = decided(one);
        const after = decided(one, { exemption });
        assert.ok(after.kind !== 'accept');
        const isPortal = one.login.service.startsWith('sallyport');
        const isRefused = before.kind === 'refused' && before.why === 'rule-refuse';
        if (isPortal || isRefused) assert.deepEqual(after, before);
        else assert.equal(after.kind, 'not-needed');
        for (const void_ of [
          { ...exemption, since: now + 1 },
          { ...exemption, until: now },
        ])
          assert.deepEqual(decided(one, { exemption: void_ }), before);
      }),
      { numRuns: 2_000 },
    ));
});
