import type { EventOrigin } from '../audit/aggregates.ts';
import type { AuditEvent } from '../audit/event.ts';
import { SallyportError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { networkKey } from '../lib/network-key.ts';
import { limits } from '../limits.ts';
import { isSignIn } from '../policy/realm.ts';
import type { AccountRecord, Commit, Store } from '../store/contract.ts';

/** The basis of a change: the record as it was read, and its version. */
export interface ReadRecord {
  readonly record: AccountRecord;
  readonly version: number;
}

export interface NoteOptions {
  readonly basis?: { readonly account: string; readonly version: number };
  readonly origin?: EventOrigin | undefined;
}

/**
 * Records decisions.
 *
 * Invariants:
 * - a change and its event are one commit, conditional on the version that was read;
 * - a decision about a login without a verified factor names the party that it came from, so that its events are
 *   bounded;
 * - only an event that no change depends on may go to the log instead while the store cannot be written;
 * - on a conflict everything is decided again, from fresh records.
 */
export class AuditedStore {
  readonly #store: Store;
  readonly #log: Log;

  constructor(store: Store, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  /** @returns false if the record no longer is what the change is based on */
  async change(
    from: ReadRecord,
    write: AccountRecord,
    event: AuditEvent | readonly AuditEvent[],
    tokens: Commit['tokens'] = [],
  ): Promise<boolean> {
    const accounts = [{ account: from.record.account, version: from.version, write }];
    const events = 'kind' in event ? [event] : event;
    return (await this.#store.commit({ accounts, tokens, events })) === 'committed';
  }

  /**
   * Records a decision that changes nothing, if the records that it is based on are still current.
   * @param on basis: absent if the decision depends on no record; origin: of a login without a verified factor,
   *   absent if the event names it
   * @returns false if the records have changed
   */
  async note(event: AuditEvent, { basis, origin = originIn(event) }: NoteOptions = {}): Promise<boolean> {
    try {
      const accounts = basis === undefined ? [] : [basis];
      const from = event.firstFactorVerified === false && origin !== undefined ? { from: origin } : {};
      return (await this.#store.commit({ accounts, events: [event], ...from })) === 'committed';
    } catch (error) {
      this.#leaveToLog(error, event);
      return true;
    }
  }

  #leaveToLog(error: unknown, event: AuditEvent): void {
    if (!(error instanceof SallyportError) || error.code !== 'store-unwritable') throw error;
    const { kind, outcome, reason, account, service, source } = event;
    this.#log.warning('not-stored', { kind, outcome, reason, account, service, source });
  }
}

/** The origin of an event without a verified factor; where the event names no party, the account is used instead. */
function originIn({
  firstFactorVerified,
  actor,
  source,
  account,
  service,
}: AuditEvent): EventOrigin | undefined {
  if (firstFactorVerified !== false) return undefined;
  if (actor !== undefined) return { way: 'user-socket', party: actor };
  const way = service !== undefined && isSignIn(service) ? 'portal' : 'root-socket';
  return { way, party: source === undefined ? `account ${account}` : networkKey(source) };
}

/** @param decideOnce returns undefined if another commit came first */
export async function retryOnConflict<T>(decideOnce: () => Promise<T | undefined>): Promise<T> {
  for (let attempt = 0; attempt < limits.commitTries; attempt += 1) {
    const settled = await decideOnce();
    if (settled !== undefined) return settled;
  }
  throw new SallyportError('conflict', 'concurrent changes; try again');
}
