import { createAggregates } from '../../audit/aggregates.ts';
import type { AuditEvent } from '../../audit/event.ts';
import { limits } from '../../limits.ts';
import type { Commit, CommitOutcome, Store } from '../contract.ts';

export interface BoundedStoreOptions {
  /** Milliseconds. */
  readonly monotonic: () => number;
  /** Called for counted events that could not be stored before close. */
  readonly notStored: (event: AuditEvent) => void;
}

/**
 * The same store, with a bound on the events of parties that have verified no factor (`Commit.from`).
 *
 * Invariants:
 * - a commit that changes a record, or that names no such party, is stored unchanged;
 * - a decision that is only counted depends on current records too, or is a conflict;
 * - counted events are stored within a minute and before the store is closed; while they cannot be written, they
 *   are kept.
 */
export function boundedStore(store: Store, options: BoundedStoreOptions): Store {
  const aggregates = createAggregates(options.monotonic);
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> | undefined;

  const write = async (): Promise<void> => {
    const events = aggregates.take();
    if (events.length === 0) return;
    try {
      await store.commit({ accounts: [], events });
    } catch {
      aggregates.putBack(events);
    }
  };
  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    writing = (writing ?? Promise.resolve()).then(write).finally(() => {
      if (aggregates.size > 0) later();
    });
    return writing;
  };
  const later = (): void => {
    timer ??= setTimeout(flush, limits.flood.interval).unref();
  };
  const commit = async (change: Commit): Promise<CommitOutcome> => {
    const { from, accounts, tokens = [], events } = change;
    const changes = tokens.length > 0 || accounts.some(({ write }) => write !== undefined);
    if (from === undefined || changes) return store.commit(change);
    if (events.every((event) => aggregates.single(event, from))) return store.commit(change);
    if (!(await isFresh(store, change))) return 'conflict';
    for (const event of events) aggregates.add(event, from);
    later();
    return 'committed';
  };

  return {
    account: (account) => store.account(account),
    token: (token) => store.token(token),
    commit,
    accounts: (wanted) => store.accounts(wanted),
    events: (wanted) => store.events(wanted),
    search: (wanted) => store.search(wanted),
    checkTrail: (wanted) => store.checkTrail(wanted),
    follow: (listener) => store.follow(listener),
    health: () => store.health(),
    scrub: () => store.scrub(),
    pruneEvents: (wanted) => store.pruneEvents(wanted),
    async close() {
      await flush();
      clearTimeout(timer);
      for (const event of aggregates.take()) options.notStored(event);
      await store.close();
    },
  };
}

async function isFresh(store: Store, { accounts }: Commit): Promise<boolean> {
  for (const { account, version } of accounts)
    if ((await store.account(account)).version !== version) return false;
  return true;
}
