import type { StoredAuditEvent } from '../../daemon/audit/event.ts';
import { SallyportError } from '../../daemon/lib/errors.ts';
import type { StoreErrorCode } from '../../daemon/sealing/error.ts';
import type {
  AccountRecord,
  Commit,
  CommitOutcome,
  Store,
  StoreHealth,
  Versioned,
  YubikeyCounterRecord,
} from '../../daemon/store/contract.ts';
import { encodeAccount, encodeEvent, encodeToken } from '../../daemon/store/sealed/records.ts';

interface Kept<T> {
  readonly record: T;
  readonly version: number;
}

/** The store's contract without a disk, for tests of what depends on it; can be made to fail. */
export class MemoryStore implements Store {
  readonly #accounts = new Map<string, Kept<AccountRecord>>();
  readonly #tokens = new Map<string, Kept<YubikeyCounterRecord>>();
  readonly #damaged = new Set<string>();
  readonly #listeners = new Set<(event: StoredAuditEvent) => void>();
  #events: StoredAuditEvent[] = [];
  #last = 0;
  #commit = 0;
  #unwritable: string | undefined;
  #closed = false;

  /** From now on no commit is stored; undefined: it can be written again. */
  breakWrites(reason: string | undefined): void {
    this.#unwritable = reason;
  }

  /** From now on this account is refused. */
  damage(account: string): void {
    this.#damaged.add(account);
  }

  async account(account: string): Promise<Versioned<AccountRecord>> {
    await this.#turn();
    if (this.#damaged.has(account)) throw failure('record-damaged', `The record of ${account} is damaged.`);
    const kept = this.#accounts.get(account);
    return kept
      ? { value: structuredClone(kept.record), version: kept.version }
      : { value: undefined, version: 0 };
  }

  async token(token: string): Promise<Versioned<YubikeyCounterRecord>> {
    await this.#turn();
    const kept = this.#tokens.get(token);
    return kept
      ? { value: structuredClone(kept.record), version: kept.version }
      : { value: undefined, version: 0 };
  }

  async commit({ accounts, tokens = [], events }: Commit): Promise<CommitOutcome> {
    for (const { account, write } of accounts) if (write) encodeAccount(write, account);
    for (const { write } of tokens) encodeToken(write);
    for (const event of events) encodeEvent(event);
    await this.#turn();
    if (this.#unwritable !== undefined) throw failure('store-unwritable', this.#unwritable);
    if (accounts.some(({ account, version }) => this.#version(account) !== version)) return 'conflict';
    if (tokens.some(({ version, write }) => (this.#tokens.get(write.token)?.version ?? 0) !== version))
      return 'conflict';
    const writes = accounts.filter(({ write }) => write !== undefined);
    if (writes.length === 0 && tokens.length === 0 && events.length === 0) return 'committed';
    this.#commit += 1;
    for (const { account, write } of writes) {
      if (write) this.#accounts.set(account, { record: structuredClone(write), version: this.#commit });
      else this.#accounts.delete(account);
    }
    for (const { write } of tokens)
      this.#tokens.set(write.token, { record: structuredClone(write), version: this.#commit });
    const stored = events.map((event, index) => ({ ...event, seq: this.#last + 1 + index }));
    this.#events.push(...stored);
    this.#last += stored.length;
    for (const event of stored) for (const listener of this.#listeners) listener(event);
    return 'committed';
  }

  async accounts(options: { readonly after?: string; readonly limit: number }) {
    await this.#turn();
    const after = Buffer.from(options.after ?? '');
    return [...this.#accounts.values()]
      .filter(({ record }) => Buffer.from(record.account).compare(after) > 0)
      .sort((a, b) => Buffer.from(a.record.account).compare(Buffer.from(b.record.account)))
      .slice(0, options.limit)
      .map(({ record }) =>
        this.#damaged.has(record.account)
          ? { account: record.account, damaged: `The record of ${record.account} is damaged.` }
          : { account: record.account, record: structuredClone(record) },
      );
  }

  async events(options: Parameters<Store['events']>[0]): Promise<readonly StoredAuditEvent[]> {
    await this.#turn();
    const { from, since, account, forward = false, limit } = options;
    const ordered = forward ? this.#events : this.#events.toReversed();
    return ordered
      .filter(({ seq }) => from === undefined || (forward ? seq >= from : seq <= from))
      .filter(({ at }) => since === undefined || at >= since)
      .filter((event) => account === undefined || event.account === account)
      .slice(0, limit);
  }

  async search(options: Parameters<Store['search']>[0]): ReturnType<Store['search']> {
    const { from, since, until, fits, limit, scan, forward } = options;
    const order = forward === undefined ? {} : { forward };
    const all = await this.events({ ...order, ...(from === undefined ? {} : { from }), limit: scan + 1 });
    const inTime = (at: number) =>
      (since === undefined || at >= since) && (until === undefined || at < until);
    const found = all.slice(0, scan).filter((event) => inTime(event.at) && fits(event));
    const next = found.length > limit ? found[limit]?.seq : all[scan]?.seq;
    return { events: found.slice(0, limit), ...(next === undefined ? {} : { next }) };
  }

  async checkTrail(): ReturnType<Store['checkTrail']> {
    await this.#turn();
    const { first, last } = this.health().events;
    const nothing = {
      unchained: last - first + 1,
      segments: [],
      faults: 0,
      findings: [],
      gaps: 0,
      inGaps: 0,
    };
    return { first, last, checked: last - first + 1, ...nothing };
  }

  follow(listener: (event: StoredAuditEvent) => void): () => void {
    const own = (event: StoredAuditEvent): void => listener(event);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  health(): StoreHealth {
    return {
      state: this.#closed ? 'closed' : this.#unwritable === undefined ? 'ok' : 'unwritable',
      ...(this.#unwritable === undefined ? {} : { reason: this.#unwritable, since: 0 }),
      commit: this.#commit,
      accounts: this.#accounts.size,
      events: { first: this.#last - this.#events.length + 1, last: this.#last },
      anchorCommit: this.#commit,
      scrub: { read: 0, findings: [] },
    };
  }

  async scrub(): Promise<void> {
    await this.#turn();
  }

  async pruneEvents({ before, keep }: { readonly before: number; readonly keep: number }): Promise<number> {
    await this.#turn();
    const old = this.#events.findIndex(({ at }) => at >= before);
    const byAge = old === -1 ? this.#events.length : old;
    const drop = Math.max(byAge, this.#events.length - keep);
    this.#events = this.#events.slice(drop);
    if (drop > 0) this.#commit += 1;
    return drop;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  /** Every call takes some time, so that wrong assumptions about order are noticed. */
  async #turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#closed) throw failure('store-closed', 'The store is closed.');
  }

  #version(account: string): number {
    return this.#accounts.get(account)?.version ?? 0;
  }
}

function failure(code: StoreErrorCode, message: string): Error {
  return new SallyportError(code, message);
}
