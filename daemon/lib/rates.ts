import { setBounded } from './bounded-map.ts';

/** How many at once, and how soon one of them no longer counts (milliseconds). */
export interface Rate {
  readonly burst: number;
  readonly forgetOneIn: number;
}

/**
 * Counts per key that fade with time, in one bounded table.
 *
 * Invariants:
 * - the table stays bounded whatever the keys are: the entry that was used longest ago gives way;
 * - a clock that is set back frees no entry early: the clock passed in is monotonic.
 */
export interface Rates {
  /** Whether one more, or `by` more, is within the rate; counts nothing. */
  allows(key: string, rate: Rate, by?: number): boolean;
  add(key: string, rate: Rate, by?: number): void;
  takeBack(key: string, rate: Rate): void;
  readonly size: number;
}

interface Bucket {
  count: number;
  at: number;
}

/** @param monotonic milliseconds; @param entries how many keys are kept */
export function createRates(monotonic: () => number, entries: number): Rates {
  const buckets = new Map<string, Bucket>();
  const present = (key: string, rate: Rate): Bucket => {
    const now = monotonic();
    const known = buckets.get(key);
    if (known === undefined) return { count: 0, at: now };
    const forgotten = (now - known.at) / rate.forgetOneIn;
    return { count: Math.max(0, known.count - forgotten), at: now };
  };
  return {
    allows: (key, rate, by = 1) => present(key, rate).count <= rate.burst - by,
    add(key, rate, by = 1) {
      const { count, at } = present(key, rate);
      setBounded(buckets, key, { count: Math.min(rate.burst, count + by), at }, entries);
    },
    takeBack(key, rate) {
      const { count, at } = present(key, rate);
      if (buckets.has(key)) buckets.set(key, { count: Math.max(0, count - 1), at });
    },
    get size() {
      return buckets.size;
    },
  };
}
