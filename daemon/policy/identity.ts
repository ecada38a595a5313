import type { AccountState } from './contract.ts';

/**
 * Whether the record under an account's name belongs to that account: a name may pass to another person.
 *
 * Invariants:
 * - another uid under the same name is another person, and nothing in the record applies to that person;
 * - a record from which that person or the previous one could gain anything (a factor, enabled or not, or an invite
 *   that adds one) is refused until an administrator decides;
 * - a record without a uid was written before uids were kept: it belongs to the account until a login records the uid.
 */
export type Ownership =
  | 'own'
  /** Of another uid, but with nothing in it that could let a login in: the account starts with an empty one. */
  | 'empty'
  | 'another';

/** @param uid the account's current uid */
export function ownershipOf(state: AccountState, uid: number, now: number): Ownership {
  if (state.uid === undefined || state.uid === uid) return 'own';
  return holdsNothing(state, now) ? 'empty' : 'another';
}

/** No factor, not even a disabled or used-up one, and no invite with which one could be added. */
export function holdsNothing({ factors, invite }: AccountState, now: number): boolean {
  return factors.length === 0 && (invite === undefined || invite.expires <= now);
}
