import { networkKey } from '../../daemon/lib/network-key.ts';
import { PortalError } from './errors.ts';

/** Limits the attempts of one source per time. */
export interface RateLimiter {
  /** @throws PortalError too-many-attempts */
  take(source: string | undefined): void;
  /** The attempt was correct and does not count. */
  giveBack(source: string | undefined): void;
}

export interface RateLimiterOptions {
  readonly burst: number;
  /** Milliseconds. */
  readonly forgetOneIn: number;
  readonly entries: number;
  readonly monotonic: () => number;
}

/**
 * A bucket for each source, which each attempt fills by one and time drains.
 *
 * Invariants: the table is bounded, so a flood of new sources evicts the oldest entries instead of using up memory; an
 * attempt counts before it is made, so concurrent attempts count too.
 */
export function createRateLimiter({
  burst,
  forgetOneIn,
  entries,
  monotonic,
}: RateLimiterOptions): RateLimiter {
  const table = new Map<string, { level: number; at: number }>();

  const levelOf = (key: string): number => {
    const found = table.get(key);
    return found === undefined ? 0 : Math.max(0, found.level - (monotonic() - found.at) / forgetOneIn);
  };
  const put = (key: string, level: number): void => {
    table.delete(key);
    if (level <= 0) return;
    table.set(key, { level, at: monotonic() });
    if (table.size <= entries) return;
    const [oldest] = table.keys();
    if (oldest !== undefined) table.delete(oldest);
  };

  return {
    take(source) {
      const key = networkKey(source ?? 'unknown');
      const level = levelOf(key);
      if (level + 1 > burst) {
        const seconds = Math.max(1, Math.ceil(((level + 1 - burst) * forgetOneIn) / 1_000));
        throw new PortalError('too-many-attempts', 'Too many attempts. Try again shortly.', {
          headers: { 'retry-after': String(seconds) },
        });
      }
      put(key, level + 1);
    },
    giveBack(source) {
      const key = networkKey(source ?? 'unknown');
      put(key, levelOf(key) - 1);
    },
  };
}
