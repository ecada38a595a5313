import { isIP } from 'node:net';
import { putLast } from '../bounded.ts';

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

interface Rate {
  readonly burst: number;
  /** Milliseconds. */
  readonly forgetOneIn: number;
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

interface Bucket {
  failures: number;
  at: number;
}

export function createThrottle(options: ThrottleOptions): Throttle {
  const buckets = new Map<string, Bucket>();

  const present = (key: string, rate: Rate): Bucket => {
    const now = options.monotonic();
    const known = buckets.get(key);
    if (known === undefined) return { failures: 0, at: now };
    const forgotten = (now - known.at) / rate.forgetOneIn;
    return { failures: Math.max(0, known.failures - forgotten), at: now };
  };

  const add = (key: string, rate: Rate): void => {
    const bucket = present(key, rate);
    const more = { failures: Math.min(rate.burst, bucket.failures + 1), at: bucket.at };
    putLast(buckets, key, more, options.entries);
  };

  const takeBack = (key: string, rate: Rate): void => {
    const bucket = present(key, rate);
    if (buckets.has(key)) buckets.set(key, { failures: Math.max(0, bucket.failures - 1), at: bucket.at });
  };

  const nameKey = (name: string): string => `n:${options.hash(name)}`;
  const sourceKey = (source: string): string => `s:${sourceOf(source)}`;
  const open = (key: string, rate: Rate): boolean => present(key, rate).failures <= rate.burst - 1;

  return {
    allows(name, source) {
      const byName = name === undefined || open(nameKey(name), options.name);
      return byName && open(sourceKey(source), options.source);
    },
    failed(name, source) {
      if (name !== undefined) add(nameKey(name), options.name);
      add(sourceKey(source), options.source);
    },
    forgive(name, source) {
      if (name !== undefined) takeBack(nameKey(name), options.name);
      takeBack(sourceKey(source), options.source);
    },
    get size() {
      return buckets.size;
    },
  };
}

/** One subscriber holds a whole IPv6 /64 and can change the rest at will. */
function sourceOf(source: string): string {
  if (isIP(source) !== 6) return source;
  const [head = '', tail] = source.split('::', 2);
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  return [...left, ...Array<string>(gap).fill('0'), ...right].slice(0, 4).join(':');
}
