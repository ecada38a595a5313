import { setBounded } from '../daemon/lib/bounded-map.ts';
import { nameKey, networkKey } from '../daemon/lib/network-key.ts';
import { limits } from './limits.ts';

/** Under what a try to sign in is counted. */
export interface Familiar {
  /** @returns undefined: counted by its source, as a stranger's */
  partyOf(source: string | undefined, user: string): string | undefined;
  /** The person of a session confirms a change. */
  sessionParty(source: string | undefined, account: string): string;
  /** The password was right: the sign-in goes on under this party. */
  began(id: string, source: string | undefined, user: string): void;
  /** @returns undefined: no sign-in that began here */
  partyOfSignIn(id: string): string | undefined;
  /** Signed in: from there this name is familiar. */
  signedIn(source: string | undefined, user: string): void;
}

/**
 * Invariants:
 * - who has a session, has verified a password, or signed in with that name from that network before, is counted by
 *   that name and network, and shares no tries with strangers behind the same address;
 * - nothing that a stranger sends makes an entry, and both tables are bounded.
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
