import { setBounded } from '../daemon/lib/bounded-map.ts';
import { nameKey, networkKey } from '../daemon/lib/network-key.ts';
import { limits } from './limits.ts';

/** What attempts to sign in count for. */
export interface Familiar {
  /** @returns undefined: the attempt counts for its source, as a stranger's */
  partyOf(source: string | undefined, user: string): string | undefined;
  /** The user of a session confirms a change. */
  sessionParty(source: string | undefined, account: string): string;
  /** The password was correct: the rest of the sign-in counts for this party. */
  began(id: string, source: string | undefined, user: string): void;
  /** @returns undefined if no such sign-in began here */
  partyOfSignIn(id: string): string | undefined;
  /** Signed in: this name is familiar from this network. */
  signedIn(source: string | undefined, user: string): void;
}

/**
 * Invariants:
 * - a user who has a session, has verified a password, or signed in with that name from that network before, counts for
 *   that name and network, and shares no attempts with strangers behind the same address;
 * - strangers cannot create entries, and both tables are bounded.
 */
export function createFamiliar(): Familiar {
  const pairs = new Map<string, true>();
  const begun = new Map<string, string>();
  const party = (kind: string, source: string | undefined, user: string): string =>
    `${kind} ${networkKey(source ?? 'unknown')} ${nameKey(user)}`;
  return {
    partyOf(source, user) {
      const pair = party('familiar', source, user);
      return pairs.has(pair) ? pair : undefined;
    },
    sessionParty: (source, account) => party('session', source, account),
    began: (id, source, user) => setBounded(begun, id, party('begun', source, user), limits.familiar),
    partyOfSignIn: (id) => begun.get(id),
    signedIn: (source, user) => setBounded(pairs, party('familiar', source, user), true, limits.familiar),
  };
}
