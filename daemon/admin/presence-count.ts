import type { Presence, PresenceCountView } from '../api/views.ts';
import { limits } from '../limits.ts';
import type { Store } from '../store/contract.ts';
import type { PresenceOf } from './presence.ts';

export interface PresenceCount {
  /** An administrator has forgotten or moved the record. */
  changed(account: string): void;
  now(): PresenceCountView;
}

export interface PresenceCountOptions {
  readonly store: Pick<Store, 'accounts'>;
  /** Looks one account up, within the limits of `control.sock`. */
  readonly look: PresenceOf;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly limit?: PresenceCountLimits;
}

export type PresenceCountLimits = Readonly<Record<keyof typeof limits.presenceCount, number>>;

type Found = Map<string, Exclude<Presence, 'here' | 'unknown'>>;

/**
 * Counts repeatedly in the background. Invariants:
 * - one name at a time, with a pause after a few, so that it slows down neither logins nor the name service;
 * - after a failed look-up it pauses for a while, and then continues with that name;
 * - an account is gone only if the name service says so: while it cannot answer, nothing is counted;
 * - the number of kept names is limited: beyond it the count is a lower bound.
 */
export function createPresenceCount(options: PresenceCountOptions): PresenceCount {
  const { store, look, now, limit = limits.presenceCount } = options;
  let passed: { readonly found: Found; readonly at: number } | undefined;
  let found: Found = new Map();
  let isUnavailable = false;

  /** @returns the name after which it continues; undefined once all accounts were looked up */
  const readPage = async (after: string | undefined): Promise<string | undefined> => {
    const from = after === undefined ? {} : { after };
    const page = await store.accounts({ ...from, limit: limit.batch });
    let last = after;
    for (const { account, record } of page) {
      const presence = await look(account, record);
      isUnavailable = presence === 'unknown';
      if (presence === 'unknown') return last ?? '';
      if (presence !== 'here' && found.size < limit.kept) found.set(account, presence);
      last = account;
    }
    return page.length < limit.batch ? undefined : last;
  };
  const read = async (after?: string): Promise<void> => {
    const next = await readPage(after);
    if (next !== undefined) {
      later(isUnavailable ? limit.retry : limit.pause, next === '' ? undefined : next);
      return;
    }
    passed = { found, at: now() };
    found = new Map();
    later(limit.interval);
  };
  const later = (pause: number, after?: string) => {
    // Status reports an unreadable store elsewhere.
    setTimeout(() => read(after).catch(() => later(limit.retry, after)), pause).unref();
  };
  later(limit.first);

  return {
    changed(account) {
      found.delete(account);
      passed?.found.delete(account);
    },
    now() {
      if (isUnavailable) return { state: 'unavailable' };
      if (passed === undefined) return { state: 'counting', ...numbers(found) };
      const isCut = passed.found.size >= limit.kept;
      if (isCut) return { state: 'counting', ...numbers(passed.found) };
      return { state: 'complete', ...numbers(passed.found), at: passed.at };
    },
  };
}

function numbers(found: Found): { readonly gone: number; readonly another: number } {
  const all = [...found.values()];
  const gone = all.filter((presence) => presence === 'gone').length;
  return { gone, another: all.length - gone };
}
