import type { Realm } from '../config/contract.ts';
import type { KindName } from '../factors/kinds.ts';
import { kindOf } from '../factors/kinds.ts';
import type { LockState } from './contract.ts';

type Rules = Realm['lockout'];

export const unlocked: LockState = { codes: 0, any: 0 };

/**
 * The lock as it stands now.
 *
 * MUST hold:
 * - a lock that ran for `for` is over, and its count starts again;
 * - a clock set back keeps the lock and lets it begin anew, so that it lasts at most `for` from now.
 *   What comes back then differs from what went in, and has to be committed to mean anything later.
 */
export function lockAt(lock: LockState, rules: Rules, now: number): LockState {
  if (lock.lockedAt === undefined) return lock;
  if (lock.lockedAt > now) return { ...lock, lockedAt: now };
  if (now < lock.lockedAt + rules.forMs) return lock;
  const { lockedAt: _, ...rest } = lock;
  return { ...rest, any: 0 };
}

/** all: every answer is refused; codes: typed codes are. */
export function lockoutAt(lock: LockState, rules: Rules, now: number): 'none' | 'codes' | 'all' {
  const { lockedAt, codesLockedAt } = lockAt(lock, rules, now);
  if (lockedAt !== undefined) return 'all';
  return codesLockedAt === undefined ? 'none' : 'codes';
}

/** When everything opens again; undefined when it is open, or when codes alone are locked. */
export function lockedUntil(lock: LockState, rules: Rules, now: number): number | undefined {
  const { lockedAt } = lockAt(lock, rules, now);
  return lockedAt === undefined ? undefined : lockedAt + rules.forMs;
}

/**
 * After a wrong answer of a proven login. What is typed while it is locked counts nowhere.
 * @param isCode a typed code: TOTP, HOTP, YubiKey, scratch, bypass
 */
export function afterFailure(lock: LockState, isCode: boolean, rules: Rules, now: number): LockState {
  const current = lockAt(lock, rules, now);
  const locked = lockoutAt(current, rules, now);
  if (locked === 'all' || (locked === 'codes' && isCode)) return current;
  const any = current.any + 1;
  const codes = current.codes + (isCode ? 1 : 0);
  return {
    ...current,
    codes,
    any,
    ...(isCode && codes >= rules.codes && { codesLockedAt: now }),
    ...(any >= rules.any && { lockedAt: now }),
  };
}

/** A verified factor ends the row; only a recovery key lifts the lock on typed codes. */
export function afterVerified(lock: LockState, kind: KindName): LockState {
  if (kindOf({ kind }).traits.liftsCodeLock || lock.codesLockedAt === undefined) return unlocked;
  return { ...unlocked, codesLockedAt: lock.codesLockedAt };
}

/**
 * By how much the answer to a wrong one is held back, in milliseconds: from the third on 1, 2, 4, at most 5 s.
 * @param count wrong answers in a row, this one included
 */
export function delayFor(count: number): number {
  if (count < 3) return 0;
  return Math.min(5_000, 1_000 * 2 ** Math.min(count - 3, 3));
}
