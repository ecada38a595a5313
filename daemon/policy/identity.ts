import type { AccountState } from './contract.ts';

/**
 * A name is not a person: whether a record that lies under an account's name is that account's.
 *
 * Invariants:
 * - another uid under the same name is another person, and nothing in the record applies to that person;
 * - a record from which that person or the one before could gain anything (a factor, in use or not, or a link that
 *   adds one) is refused until an administrator decides;
 * - a record without a uid was written before uids were kept: it is the account's until a login says more.
 */
export type Ownership =
  | 'own'
  /** Of another uid, and nothing is in it that could let anybody in: the account starts with an empty one. */
  | 'empty'
  | 'another';

/** @param uid the account's now */
export function ownershipOf(state: AccountState, uid: number, now: number): Ownership {
  if (state.uid === undefined || state.uid === uid) return 'own';
  return holdsNothing(state, now) ? 'empty' : 'another';
}

/** No factor, not even one that is disabled or used up, and no link with which one could be added. */
export function holdsNothing({ factors, invite }: AccountState, now: number): boolean {
  return factors.length === 0 && (invite === undefined || invite.expires <= now);
}
