/**
 * How many connections there are, and whose.
 *
 * What MUST hold: connections that do nothing never keep out one that would. So when all places are taken, in
 * all or for an address, whoever has done nothing for longest gives way; only where each is busy the newcomer
 * is turned away, and being busy lasts as long as a request may.
 */
export interface Places {
  /** @returns false: there is none, and the connection is to be ended */
  take(key: string, place: Place): boolean;
  /** Of the connection that a request came over. */
  busy(key: string): void;
  idle(key: string): void;
  /** The connection is gone, or somebody else counts it from now on. */
  leave(key: string): void;
  taken(): number;
}

export interface Place {
  readonly address: string;
  /** Of a reverse proxy: one address for many people. */
  readonly shared: boolean;
  readonly end: () => void;
}

interface Entry extends Place {
  requests: number;
  since: number;
}

export function createPlaces(
  limit: { readonly connections: number; readonly connectionsPerAddress: number },
  monotonic: () => number,
): Places {
  const entries = new Map<string, Entry>();

  /** @returns whether one of them gave way */
  const giveWay = (candidates: Iterable<readonly [string, Entry]>): boolean => {
    let longest: readonly [string, Entry] | undefined;
    for (const candidate of candidates)
      if (candidate[1].requests === 0 && (longest === undefined || candidate[1].since < longest[1].since))
        longest = candidate;
    if (longest === undefined) return false;
    entries.delete(longest[0]);
    longest[1].end();
    return true;
  };
  const ofAddress = (address: string) =>
    [...entries].filter(([, entry]) => entry.address === address && !entry.shared);
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
      if (entries.size >= limit.connections && !giveWay(entries)) return false;
      entries.set(key, { ...place, requests: 0, since: monotonic() });
      return true;
    },
    busy: (key) => change(key, 1),
    idle: (key) => change(key, -1),
    leave: (key) => void entries.delete(key),
    taken: () => entries.size,
  };
}
