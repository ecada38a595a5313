import type { Realm } from '../config/contract.ts';
import type { KindName } from '../factors/kinds.ts';
import { kindOf } from '../factors/kinds.ts';
import type { LockState } from './contract.ts';

type Rules = Realm['lockout'];

export const unlocked: LockState = { codes: 0, any: 0 };

/**
 * The current lock.
 *
 * Invariants:
 * - a lock that has lasted for `lockout.duration` is over, and its failure count starts again;
 * - a clock that was set back keeps the lock and restarts it, so that it lasts at most that long from now. The returned
 *   lock then differs from the given one, and has to be committed to take effect later.
 */
export function lockAt(lock: LockState, rules: Rules, now: number): LockState {
  if (lock.lockedAt === undefined) return lock;
  if (lock.lockedAt > now) return { ...lock, lockedAt: now };
  if (now < lock.lockedAt + rules.forMs) return lock;
  const { lockedAt: _, ...rest } = lock;
  return { ...rest, any: 0 };
}

/** all: every answer is refused; codes: only typed codes are. */
export function lockoutAt(lock: LockState, rules: Rules, now: number): 'none' | 'codes' | 'all' {
  const { lockedAt, codesLockedAt } = lockAt(lock, rules, now);
  if (lockedAt !== undefined) return 'all';
  return codesLockedAt === undefined ? 'none' : 'codes';
}

/** When the lock on everything ends; undefined if it is open, or if only codes are locked. */
export function lockedUntil(lock: LockState, rules: Rules, now: number): number | undefined {
  const { lockedAt } = lockAt(lock, rules, now);
  return lockedAt === undefined ? undefined : lockedAt + rules.forMs;
}

/**
 * The lock after a wrong answer in a login whose first factor is verified. An answer while it is locked is not
 * counted.
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

/** A verified factor clears the failure count; only a recovery key unlocks typed codes. */
export function afterVerified(lock: LockState, kind: KindName): LockState {
  if (kindOf({ kind }).traits.liftsCodeLock || lock.codesLockedAt === undefined) return unlocked;
  return { ...unlocked, codesLockedAt: lock.codesLockedAt };
}

/**
 * The delay of a refusal in milliseconds: from the third failure on 1, 2, 4, at most 5 s.
 * @param count consecutive wrong answers, this one included
 */
export function delayFor(count: number): number {
  if (count < 3) return 0;
  return Math.min(5_000, 1_000 * 2 ** Math.min(count - 3, 3));
}
