/**
 * How many connections there are, and whose.
 *
 * Invariants:
 * - what has not arrived whole, a connection without a request included, never keeps out a newcomer: when all places
 *   are taken, in all or of an address, one that nothing is worked on gives way;
 * - of these it is the oldest of the address that has most of them, so that who opens many pushes out only their own;
 * - a connection over which a signed-in person asked something gives way only where there is no other, and counts
 *   for no address;
 * - addresses are counted by networkKey: an IPv6 /64 is one.
 */
export interface ConnectionLimit {
  /** @returns false: there is none, and the connection is to be ended */
  take(key: string, place: Place): boolean;
  /** A request of that connection has arrived whole, and is worked on. */
  busy(key: string): void;
  /** Its answer is on its way. */
  idle(key: string): void;
  /** Somebody who is signed in as `account` asks over it; a few connections of one account count as such. */
  verified(key: string, account: string): void;
  /** The connection is gone, or somebody else counts it from now on. */
  leave(key: string): void;
  taken(): number;
}

export interface Place {
  /** What the address is counted by. */
  readonly address: string;
  /** Of a reverse proxy: one address for many people. */
  readonly shared: boolean;
  readonly end: () => void;
}

interface Entry extends Place {
  requests: number;
  since: number;
  /** Who is signed in. */
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

  /** @returns whether one of them gave way */
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

/** A reverse proxy holds connections for many: each of these counts as one of its own. */
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
