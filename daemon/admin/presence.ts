import type { Presence } from '../api/views.ts';
import type { Accounts } from '../host/contract.ts';
import { createSemaphore } from '../lib/slots.ts';
import { limits } from '../limits.ts';
import { ownershipOf } from '../policy/identity.ts';
import type { AccountRecord } from '../store/contract.ts';

export interface PresenceOptions {
  readonly accounts: Pick<Accounts, 'byName'>;
  readonly now: () => number;
  /** Milliseconds after which no more names are looked up; by default `limits.listWait`. */
  readonly listWait?: number;
}

export type PresenceOf = (account: string, record: AccountRecord | undefined) => Promise<Presence>;

/**
 * Looks accounts up for a page of a list. Invariants: a few names at a time, over all pages, and none after the first
 * failed look-up or after the page's time limit, so that it burdens neither logins nor an unavailable name service;
 * accounts that were not looked up are unknown, never gone.
 *
 * @returns for one page
 */
export function createPresence({
  accounts,
  now,
  listWait = limits.listWait,
}: PresenceOptions): () => PresenceOf {
  const semaphore = createSemaphore(limits.reportAtOnce);
  return () => {
    const began = performance.now();
    let isOver = false;
    return (account, record) =>
      semaphore(async () => {
        if (isOver || performance.now() - began > listWait) return 'unknown';
        const found = await accounts.byName(account, []);
        if (found.status === 'unavailable') isOver = true;
        if (found.status !== 'found') return found.status === 'absent' ? 'gone' : 'unknown';
        const { uid } = found.account;
        return record !== undefined && ownershipOf(record, uid, now()) === 'another' ? 'another' : 'here';
      });
  };
}
