import { canonicalAddress } from '../lib/network.ts';
import { nameKey, networkKey } from '../lib/network-key.ts';
import { limits } from '../limits.ts';
import type { HelloFrame } from '../protocol/login.ts';
import { originOf } from '../verifier/refusal-rules.ts';
import { isFirstFactorVerified } from './facts.ts';

/** The connection limits of each pool of pam.sock, and of both sockets together. */
export interface Pools {
  /** Before HELLO. */
  readonly waiting: number;
  readonly unverified: number;
  readonly verified: number;
  /** Refused for lack of a slot, and still to be answered. */
  readonly refused: number;
  /** On pam-user.sock. */
  readonly user: number;
}

/**
 * Out of descriptors, a connection would be closed without a response and look like a dead daemon: there are fewer
 * slots than descriptors, whatever the limit is.
 */
export function poolsFor(descriptors: number): Pools {
  const all = limits.rootConnections + limits.userConnections + limits.heldRefusals.all;
  const share = Math.min(1, Math.max(0, descriptors - limits.otherDescriptors) / all);
  const of = (most: number): number => Math.floor(most * share);
  // Each connection begins as a waiting one: there is always one slot for those.
  const waiting = Math.max(1, of(limits.helloWaiting));
  const unverified = of(limits.unverifiedLogins.all);
  const verified = Math.max(0, of(limits.rootConnections) - waiting - unverified);
  return {
    waiting,
    unverified,
    verified,
    refused: of(limits.heldRefusals.all),
    user: of(limits.userConnections),
  };
}

/** Whether a login has a slot; `holdFor`: milliseconds until a refused one may be answered. */
export type Admission = { readonly admitted: true } | { readonly admitted: false; readonly holdFor: number };

/** One connection on pam.sock. */
export interface Place {
  /** After HELLO: the connection moves to the pool that it belongs to, or to that of refused ones. */
  admit(hello: HelloFrame): Admission;
  /** The connection is closed. */
  leave(): void;
}

export interface LoginPools {
  /** @param evict ends the connection; called if it has waited longest for its HELLO */
  connect(evict: () => void): Place;
  /** Connections of each pool, for tests. */
  readonly taken: { readonly [Pool in 'waiting' | 'unverified' | 'verified' | 'refused']: number };
}

/**
 * Slots of the logins on pam.sock, in three pools.
 *
 * Invariants:
 * - a login whose first factor is verified needs a place among its like and no other: those of one name do not
 *   use up those of another, and a login without a verified first factor takes none of them;
 * - unverified logins are bounded by real uid or address, by name as typed, and in all; one party cannot use up the
 *   places of a name;
 * - a refusal is answered late, so that a program that retries at once costs other logins little; those that
 *   wait for it have a separate pool, beyond which the answer leaves at once;
 * - a connection that says nothing keeps no one out: when too many wait for their HELLO, those that have waited longest
 *   give way. HELLO follows a connection within milliseconds, but many that come at once are read one after the
 *   other: as long as there are places at all, none gives way before its HELLO could be read.
 */
export function createLoginPools(pools: Pools, monotonic = () => performance.now()): LoginPools {
  /** With the time when each began to wait. */
  const waiting = new Map<() => void, number>();
  const taken = { unverified: 0, verified: 0, refused: 0 };
  const shares = new Map<string, number>();

  const take = (pool: keyof typeof taken, owners: ReadonlyMap<string, number>) => {
    const isFree = [...owners].every(([owner, most]) => (shares.get(owner) ?? 0) < most);
    if (taken[pool] >= pools[pool] || !isFree) return undefined;
    const add = (by: 1 | -1): void => {
      taken[pool] += by;
      for (const owner of owners.keys()) {
        const now = (shares.get(owner) ?? 0) + by;
        if (now === 0) shares.delete(owner);
        else shares.set(owner, now);
      }
    };
    add(1);
    return () => add(-1);
  };

  return {
    connect(evict) {
      let release: (() => void) | undefined = () => waiting.delete(evict);
      const now = monotonic();
      waiting.set(evict, now);
      const all = pools.waiting + pools.unverified + pools.verified;
      for (const [oldest, since] of waiting) {
        if (waiting.size <= pools.waiting) break;
        const isFull = waiting.size + taken.unverified + taken.verified > all;
        if (!isFull && now - since < limits.helloGrace) break;
        waiting.delete(oldest);
        oldest();
      }
      return {
        admit(hello) {
          release?.();
          release = isFirstFactorVerified(hello, true)
            ? take('verified', new Map([[`name ${nameKey(hello.user)}`, limits.loginsPerAccount]]))
            : take('unverified', ownersOf(hello));
          if (release !== undefined) return { admitted: true };
          release = take('refused', new Map());
          return { admitted: false, holdFor: release === undefined ? 0 : limits.heldRefusals.hold };
        },
        leave() {
          release?.();
          release = undefined;
        },
      };
    },
    get taken() {
      return { waiting: waiting.size, ...taken };
    },
  };
}

/** Whose share an unverified login takes. */
function ownersOf(hello: HelloFrame): ReadonlyMap<string, number> {
  const source = hello.rhost === undefined ? undefined : canonicalAddress(hello.rhost);
  const origin = originOf({
    ...hello,
    ...(source === undefined ? {} : { source }),
    rootSocket: true,
    peerUid: 0,
  });
  return new Map([
    [`unverified name ${nameKey(hello.user)}`, limits.unverifiedLogins.name],
    [`unverified party ${networkKey(origin)}`, limits.unverifiedLogins.party],
  ]);
}
