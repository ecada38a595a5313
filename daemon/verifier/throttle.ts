import { networkKey } from '../lib/network-key.ts';
import { createRates, type Rate } from '../lib/rates.ts';

/**
 * Failures of logins that are not proven: one bounded table in memory, by source and by a keyed hash
 * of the name as typed, account or not. They lock nothing (design, "What the module cannot know").
 *
 * MUST hold:
 * - the same for names that are accounts and names that are not;
 * - bounded, whatever is typed: the entry that was used longest ago gives way;
 * - a clock that is set back frees nobody early: the clock passed in is monotonic.
 */
export interface Throttle {
  /** Whether another try is let through. */
  allows(name: string | undefined, source: string): boolean;
  /** Counts a failure. Counted before the try is judged: tries that come all at once count each other. */
  failed(name: string | undefined, source: string): void;
  /** Takes one back: the try was none, or was right. */
  forgive(name: string | undefined, source: string): void;
  /** For status and tests. */
  readonly size: number;
}

export interface ThrottleOptions {
  /** Keyed hash: the table gives away no names. */
  readonly hash: (text: string) => string;
  /** Milliseconds, monotonic. */
  readonly monotonic: () => number;
  readonly entries: number;
  readonly name: Rate;
  readonly source: Rate;
}

export function createThrottle(options: ThrottleOptions): Throttle {
  const rates = createRates(options.monotonic, options.entries);
  const nameKey = (name: string): string => `n:${options.hash(name)}`;
  const sourceKey = (source: string): string => `s:${networkKey(source)}`;

  return {
    allows(name, source) {
      const byName = name === undefined || rates.allows(nameKey(name), options.name);
      return byName && rates.allows(sourceKey(source), options.source);
    },
    failed(name, source) {
      if (name !== undefined) rates.add(nameKey(name), options.name);
      rates.add(sourceKey(source), options.source);
    },
    forgive(name, source) {
      if (name !== undefined) rates.takeBack(nameKey(name), options.name);
      rates.takeBack(sourceKey(source), options.source);
    },
    get size() {
      return rates.size;
    },
  };
}
