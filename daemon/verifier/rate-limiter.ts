import { nameKey, networkKey } from '../lib/network-key.ts';
import { createRates, type Rate } from '../lib/rates.ts';
import { limits } from '../limits.ts';

/**
 * Failures of logins without a verified first factor: one bounded table in memory, by source and by a keyed hash of
 * the name as typed, account or not. They lock nothing (docs/design.md, rule 6).
 *
 * Invariants:
 * - names that are accounts and names that are not behave the same, also in capitals;
 * - bounded, whatever is typed: the least recently used entry is evicted;
 * - setting the clock back ends no limit early: the clock passed in is monotonic.
 */
export interface RateLimiter {
  /** Whether another attempt is allowed. */
  allows(name: string | undefined, source: string): boolean;
  /** Counts a failure. Called before the attempt is evaluated, so that simultaneous attempts count each other. */
  failed(name: string | undefined, source: string): void;
  /** Takes a failure back: the attempt was correct, or guessed nothing. */
  forgive(name: string | undefined, source: string): void;
  /** For status and tests. */
  readonly size: number;
}

export interface RateLimiterOptions {
  /** Keyed hash: the table reveals no names. */
  readonly hash: (text: string) => string;
  /** Milliseconds, monotonic. */
  readonly monotonic: () => number;
  /** Those of limits.ts, unless a test sets others. */
  readonly entries?: number;
  readonly name?: Rate;
  readonly source?: Rate;
}

export function createRateLimiter({
  hash,
  monotonic,
  entries = limits.unverifiedEntries,
  name: ofName = limits.unverifiedPerName,
  source: ofSource = limits.unverifiedPerSource,
}: RateLimiterOptions): RateLimiter {
  const rates = createRates(monotonic, entries);
  const keyOfName = (name: string): string => `n:${hash(nameKey(name))}`;
  const sourceKey = (source: string): string => `s:${networkKey(source)}`;

  return {
    allows(name, source) {
      const byName = name === undefined || rates.allows(keyOfName(name), ofName);
      return byName && rates.allows(sourceKey(source), ofSource);
    },
    failed(name, source) {
      if (name !== undefined) rates.add(keyOfName(name), ofName);
      rates.add(sourceKey(source), ofSource);
    },
    forgive(name, source) {
      if (name !== undefined) rates.takeBack(keyOfName(name), ofName);
      rates.takeBack(sourceKey(source), ofSource);
    },
    get size() {
      return rates.size;
    },
  };
}
