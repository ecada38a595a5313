import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LockState } from '../../../daemon/policy/contract.ts';
import {
  afterFailure,
  afterVerified,
  delayFor,
  lockAt,
  lockedUntil,
  lockoutAt,
  unlocked,
} from '../../../daemon/policy/lockout.ts';
import { fc } from '../../support/property.ts';
import { day, hour, minute, now, second } from './support.ts';

const rules = { codes: 3, any: 5, forMs: hour };

/** The lockout after wrong answers, one a second: "c" a typed code, "r" another kind. */
function after(answers: string, lock: LockState = unlocked, at = now): LockState {
  return [...answers].reduce(
    (state, kind, i) => afterFailure(state, kind === 'c', rules, at + i * second),
    lock,
  );
}

describe('wrong answers', () => {
  it('count twice when they are typed codes, once when they are not', () => {
    assert.deepEqual(after('c'), { codes: 1, any: 1 });
    assert.deepEqual(after('r'), { codes: 0, any: 1 });
    assert.deepEqual(after('crc'), { codes: 2, any: 3 });
  });

  it('lock typed codes at lockout.max_code_failures, not before', () => {
    assert.equal(lockoutAt(after('cc'), rules, now), 'none');
    const locked = after('ccc');
    assert.equal(lockoutAt(locked, rules, now + minute), 'codes');
    assert.equal(locked.codesLockedAt, now + 2 * second);
    assert.equal(lockedUntil(locked, rules, now + minute), undefined);
  });

  it('keep typed codes locked indefinitely', () => {
    assert.equal(lockoutAt(after('ccc'), rules, now + 1000 * day), 'codes');
  });

  it('lock everything at lockout.max_failures, for lockout.duration', () => {
    assert.equal(lockoutAt(after('rrrr'), rules, now + 4 * second), 'none');
    const locked = after('rrrrr');
    const since = now + 4 * second;
    assert.equal(lockoutAt(locked, rules, since), 'all');
    assert.equal(lockedUntil(locked, rules, since), since + hour);
    assert.equal(lockoutAt(locked, rules, since + hour - 1), 'all');
    assert.equal(lockoutAt(locked, rules, since + hour), 'none');
  });

  it('count from zero once the lockout is over, while codes stay locked', () => {
    const locked = after('cccrr');
    assert.equal(lockoutAt(locked, rules, now + minute), 'all');
    const later = now + 2 * hour;
    assert.equal(lockoutAt(locked, rules, later), 'codes');
    const next = afterFailure(locked, false, rules, later);
    assert.deepEqual(next, { codes: 3, any: 1, codesLockedAt: now + 2 * second });
  });

  it('do not count during a lockout', () => {
    const all = after('rrrrr');
    assert.deepEqual(afterFailure(all, true, rules, now + minute), all);
    assert.deepEqual(afterFailure(all, false, rules, now + minute), all);
    const codes = after('ccc');
    assert.deepEqual(afterFailure(codes, true, rules, now + minute), codes);
    assert.equal(afterFailure(codes, false, rules, now + minute).any, codes.any + 1);
  });
});

describe('a verified factor', () => {
  it('resets both failure counts', () => {
    assert.deepEqual(afterVerified(after('cr'), 'totp'), { codes: 0, any: 0 });
    assert.deepEqual(afterVerified(after('cr'), 'recovery'), { codes: 0, any: 0 });
  });

  it('clears the lockout of typed codes only if it is a recovery key', () => {
    const locked = after('ccc');
    assert.deepEqual(afterVerified(locked, 'totp'), { codes: 0, any: 0, codesLockedAt: now + 2 * second });
    assert.deepEqual(afterVerified(locked, 'recovery'), unlocked);
  });
});

describe('a clock set back', () => {
  it('keeps the lockout, for at most lockout.duration from then', () => {
    const locked = after('rrrrr');
    const back = now - 30 * day;
    assert.equal(lockoutAt(locked, rules, back), 'all');
    assert.equal(lockedUntil(locked, rules, back), back + hour);
    const stored = lockAt(locked, rules, back);
    assert.equal(stored.lockedAt, back);
    assert.equal(lockoutAt(stored, rules, back + hour), 'none');
  });

  it('keeps typed codes locked', () => {
    assert.equal(lockoutAt(after('ccc'), rules, now - 30 * day), 'codes');
  });
});

describe('the delay of a wrong answer', () => {
  for (const [count, seconds] of [
    [0, 0],
    [1, 0],
    [2, 0],
    [3, 1],
    [4, 2],
    [5, 4],
    [6, 5],
    [7, 5],
    [100, 5],
    [10_000, 5],
  ] as const) {
    it(`is ${seconds} s for number ${count}`, () => assert.equal(delayFor(count), seconds * second));
  }
});

describe('whatever happens', () => {
  const someRules = fc
    .record({
      codes: fc.integer({ min: 1, max: 6 }),
      more: fc.integer({ min: 0, max: 6 }),
      forMs: fc.constantFrom(minute, hour, day),
    })
    .map(({ codes, more, forMs }) => ({ codes, any: codes + more, forMs }));
  const step = fc.record({
    isCode: fc.boolean(),
    // The clock jumps arbitrarily.
    jump: fc.oneof(fc.integer({ min: 0, max: 2 * minute }), fc.integer({ min: -2 * day, max: 2 * day })),
    verified: fc.constantFrom(
      undefined,
      undefined,
      undefined,
      undefined,
      'totp' as const,
      'recovery' as const,
    ),
  });

  it('no full lockout lasts longer than lockout.duration from now', () => {
    fc.assert(
      fc.property(someRules, fc.array(step, { maxLength: 40 }), (lockout, steps) => {
        let lock: LockState = unlocked;
        let at = now;
        for (const { isCode, jump } of steps) {
          at += jump;
          lock = afterFailure(lock, isCode, lockout, at);
          const until = lockedUntil(lock, lockout, at);
          assert.ok(until === undefined || until <= at + lockout.forMs);
          assert.equal(lockoutAt(lock, lockout, at) === 'all', until !== undefined && until > at);
          assert.notEqual(lockoutAt(lock, lockout, at + lockout.forMs), 'all');
        }
      }),
    );
  });

  it('failure counts only grow between verified factors and ends of lockouts, and lockouts start exactly at their limits', () => {
    fc.assert(
      fc.property(someRules, fc.array(step, { maxLength: 40 }), (lockout, steps) => {
        let lock: LockState = unlocked;
        let at = now;
        for (const { isCode, jump, verified } of steps) {
          at += jump;
          const before = lockAt(lock, lockout, at);
          const was = lockoutAt(lock, lockout, at);
          if (verified !== undefined && was === 'none') {
            lock = afterVerified(lock, verified);
            assert.deepEqual(lock, unlocked);
            continue;
          }
          lock = afterFailure(lock, isCode, lockout, at);
          const counts = was === 'none' || (was === 'codes' && !isCode);
          assert.equal(lock.any, before.any + (counts ? 1 : 0));
          assert.equal(lock.codes, before.codes + (counts && isCode ? 1 : 0));
          assert.equal(lock.codesLockedAt !== undefined, lock.codes >= lockout.codes);
          assert.equal(lockoutAt(lock, lockout, at) === 'all', lock.any >= lockout.any);
          assert.ok(lock.any <= lockout.any && lock.codes <= lockout.codes);
        }
      }),
    );
  });

  it('a clock set back never ends a lockout', () => {
    fc.assert(
      fc.property(someRules, fc.array(step, { maxLength: 30 }), fc.nat(10 * day), (lockout, steps, back) => {
        const lock = steps.reduce(
          (state, { isCode }, i) => afterFailure(state, isCode, lockout, now + i),
          unlocked as LockState,
        );
        const at = now + steps.length;
        const order = { none: 0, codes: 1, all: 2 };
        assert.ok(order[lockoutAt(lock, lockout, at - back)] >= order[lockoutAt(lock, lockout, at)]);
      }),
    );
  });
});
