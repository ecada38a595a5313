/**
 * Limits the number of connections, in all and per peer.
 *
 * Invariants:
 * - an incomplete request, or a connection without one, never keeps out a newcomer: when all slots are used, in all or
 *   for an address, a connection without work in progress is closed;
 * - of these, the oldest of the address with most of them is closed, so that a client that opens many displaces only
 *   its own;
 * - a connection that carried a request of a signed-in user is closed only if there is no other, and counts for no
 *   address;
 * - addresses are counted by networkKey: an IPv6 /64 is one.
 */
export interface ConnectionLimit {
  /** @returns false if no slot is free: the caller closes the connection */
  take(key: string, place: Place): boolean;
  /** A request of that connection is complete and in progress. */
  busy(key: string): void;
  /** Its response is being sent. */
  idle(key: string): void;
  /** It carries requests of the signed-in `account`; only some connections of one account count as such. */
  verified(key: string, account: string): void;
  /** The connection is closed, or is counted elsewhere from now on. */
  leave(key: string): void;
  taken(): number;
}

export interface Place {
  /** The key that addresses are counted by. */
  readonly address: string;
  /** From a reverse proxy: one address for many users. */
  readonly shared: boolean;
  readonly end: () => void;
}

interface Entry extends Place {
  requests: number;
  since: number;
  /** The signed-in account. */
  account: string | undefined;
}

type Held = readonly [key: string, entry: Entry];

export function createConnectionLimit(
  limit: {
    readonly connections: number;
    readonly connectionsPerAddress: number;
    readonly connectionsPerAccount: number;
  },
  monotonic: () => number,
): ConnectionLimit {
  const entries = new Map<string, Entry>();

  /** @returns whether one of them was closed */
  const giveWay = (candidates: readonly Held[]): boolean => {
    const idle = candidates.filter(([, { requests }]) => requests === 0);
    const unverified = idle.filter(([, { account }]) => account === undefined);
    const leaving = unverified.length > 0 ? oldest(ofLargestHolder(unverified)) : oldest(idle);
    if (leaving === undefined) return false;
    entries.delete(leaving[0]);
    leaving[1].end();
    return true;
  };
  const ofAddress = (address: string) =>
    [...entries].filter(
      ([, entry]) => entry.address === address && !entry.shared && entry.account === undefined,
    );
  const change = (key: string, by: number): void => {
    const entry = entries.get(key);
    if (entry === undefined) return;
    entry.requests = Math.max(0, entry.requests + by);
    entry.since = monotonic();
  };

  return {
    take(key, place) {
      if (!place.shared) {
        const own = ofAddress(place.address);
        if (own.length >= limit.connectionsPerAddress && !giveWay(own)) return false;
      }
      if (entries.size >= limit.connections && !giveWay([...entries])) return false;
      entries.set(key, { ...place, requests: 0, since: monotonic(), account: undefined });
      return true;
    },
    busy: (key) => change(key, 1),
    idle: (key) => change(key, -1),
    verified(key, account) {
      const entry = entries.get(key);
      if (entry === undefined || entry.account === account) return;
      const own = [...entries.values()].filter((other) => other.account === account).length;
      entry.account = own < limit.connectionsPerAccount ? account : undefined;
    },
    leave: (key) => void entries.delete(key),
    taken: () => entries.size,
  };
}

/** A reverse proxy holds connections of many users: each counts as a separate holder. */
function ofLargestHolder(candidates: readonly Held[]): readonly Held[] {
  const byHolder = new Map<string, Held[]>();
  for (const held of candidates) {
    const holder = held[1].shared ? '' : held[1].address;
    const own = byHolder.get(holder) ?? [];
    own.push(held);
    byHolder.set(holder, own);
  }
  const shared = byHolder.get('') ?? [];
  byHolder.delete('');
  const [largest] = [...byHolder.values()].sort((a, b) => b.length - a.length);
  return largest === undefined || largest.length === 1 ? [...shared, ...(largest ?? [])] : largest;
}

function oldest(candidates: readonly Held[]): Held | undefined {
  return candidates.reduce<Held | undefined>(
    (found, held) => (found === undefined || held[1].since < found[1].since ? held : found),
    undefined,
  );
}
