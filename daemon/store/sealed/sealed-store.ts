import type { StoredAuditEvent } from '../../audit/event.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type {
  AccountRecord,
  Commit,
  CommitOutcome,
  Store,
  StoreHealth,
  Versioned,
  YubikeyCounterRecord,
} from '../contract.ts';
import { readEvents, searchEvents } from './audit-trail.ts';
import { checkChain } from './chain-check.ts';
import { type Entry, encodeCommit } from './change.ts';
import { Committer } from './committer.ts';
import type { DbHandle } from './db.ts';
import type { HashKey } from './hash-keys.ts';
import { KnownRecords, type StoredRecord } from './known-records.ts';
import { listAccounts } from './listing.ts';
import { heldEvents, type Meta, trailBytes } from './meta.ts';
import { openPair } from './reader.ts';
import { tokenName } from './record-keys.ts';
import { RecordLoader } from './record-loader.ts';
import { decodeAccount, decodeToken } from './records.ts';
import type { FileCheck } from './scrub.ts';
import { ScrubSchedule } from './scrub-schedule.ts';
import { type StoreSnapshot, takeSnapshot } from './snapshot.ts';
import type { TrailBounds } from './trail-pruning.ts';
import { createShares, type Shares } from './trail-shares.ts';

export interface SealedStoreParts {
  readonly handle: DbHandle;
  readonly sealer: Sealer;
  /** The store's meta record when it is opened. */
  readonly meta: Meta;
  readonly now: () => number;
  /** Bounds of the trail. */
  readonly bounds: () => TrailBounds;
  /** Reports a party that has exceeded its share, once a day. */
  readonly overShare: (payer: string) => void;
  readonly checkFiles: FileCheck;
  readonly scrubDelay: number;
  readonly scrubInterval: number;
  /** A batch is durable; called before any caller receives its result. */
  readonly durable: (meta: Meta) => void;
  /** A write failed: it may have been stored. */
  readonly failed: (error: unknown) => void;
}

/**
 * The store over any database of the form `Db`: sealing, chaining and group commit. An engine adds how its files
 * are opened, whether they can be written, and how it is closed.
 */
export abstract class SealedStore implements Store {
  protected readonly committer: Committer;
  protected readonly scrubs: ScrubSchedule;
  readonly #handle: DbHandle;
  readonly #sealer: Sealer;
  readonly #loader: RecordLoader;
  readonly #known = new KnownRecords();
  readonly #shares: Shares;
  readonly #listeners = new Set<(event: StoredAuditEvent) => void>();

  constructor(parts: SealedStoreParts) {
    const { handle, sealer } = parts;
    this.#handle = handle;
    this.#sealer = sealer;
    this.#loader = new RecordLoader(handle);
    const events = {
      bounds: parts.bounds,
      durable: (meta: Meta, stored: readonly StoredAuditEvent[]) => {
        parts.durable(meta);
        this.#notifyAll(stored);
      },
      failed: parts.failed,
    };
    this.committer = new Committer(handle, sealer, parts.meta, events, this.#known);
    this.#shares = createShares(parts.bounds, parts.overShare);
    this.scrubs = new ScrubSchedule({
      handle,
      sealer,
      checkFiles: parts.checkFiles,
      now: parts.now,
      delay: parts.scrubDelay,
      interval: parts.scrubInterval,
      damaged: () => this.#known.clear(),
    });
  }

  abstract health(): StoreHealth;

  abstract close(): Promise<void>;

  async account(account: string): Promise<Versioned<AccountRecord>> {
    return this.#read(account, decodeAccount);
  }

  async token(token: string): Promise<Versioned<YubikeyCounterRecord>> {
    return this.#read(tokenName(token), decodeToken);
  }

  async commit(commit: Commit): Promise<CommitOutcome> {
    const { change, settle } = this.#shares.rate(encodeCommit(commit), commit.from);
    try {
      const outcome = await this.committer.submit(change);
      if (outcome === 'committed') settle();
      return outcome;
    } finally {
      for (const { write } of change.records) write?.fill(0);
    }
  }

  accounts(options: Parameters<Store['accounts']>[0]): ReturnType<Store['accounts']> {
    return this.#handle.use((db) => listAccounts(db, this.#sealer, options));
  }

  events(options: Parameters<Store['events']>[0]): ReturnType<Store['events']> {
    return this.#handle.use((db) => readEvents(db, this.#sealer, options));
  }

  search(options: Parameters<Store['search']>[0]): ReturnType<Store['search']> {
    return this.#handle.use((db) => searchEvents(db, this.#sealer, options));
  }

  checkTrail(options: Parameters<Store['checkTrail']>[0]): ReturnType<Store['checkTrail']> {
    return this.#handle.use((db) => checkChain(db, this.#sealer, options));
  }

  follow(listener: (event: StoredAuditEvent) => void): () => void {
    // Wrapped, so that the same function can be registered twice.
    const own = (event: StoredAuditEvent): void => listener(event);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  async snapshot(): Promise<StoreSnapshot> {
    const db = await this.#handle.use(async (open) => open);
    return takeSnapshot(db, this.#sealer);
  }

  /** For a change of master keys: reseals entries with the current key, and stores hash keys of older ones. */
  async reseal(entries: readonly Entry[], hashKeys: readonly HashKey[] = []): Promise<void> {
    await this.committer.submit({ records: [], events: [], reseal: entries, hashKeys });
  }

  scrub(): Promise<void> {
    return this.scrubs.run();
  }

  async pruneEvents(options: Parameters<Store['pruneEvents']>[0]): Promise<number> {
    const wanted = { keepBytes: Number.POSITIVE_INFINITY, ...options };
    for (let dropped = 0; ; ) {
      const now = await this.committer.drop(wanted);
      if (now === 0) return dropped;
      dropped += now;
    }
  }

  /** The engine-independent part of the health report. */
  protected held(): Pick<StoreHealth, 'commit' | 'accounts' | 'events' | 'trail' | 'scrub' | 'writingFor'> {
    const { meta, writingFor } = this.committer;
    const { commit, accounts, first, last, chain } = meta;
    return {
      ...(writingFor === undefined ? {} : { writingFor }),
      commit,
      accounts,
      events: { first, last },
      trail: {
        bytes: trailBytes(meta),
        held: heldEvents(meta),
        ...(chain === undefined ? {} : { head: chain.head }),
      },
      scrub: this.scrubs.report(),
    };
  }

  /** The known record, or else the one on disk. */
  async #read<T extends StoredRecord>(
    name: string,
    decode: (plaintext: Buffer, name: string) => T,
  ): Promise<Versioned<T>> {
    const known = this.#known.get(name);
    // Names of YubiKey counter records and of accounts never coincide (record-keys.ts).
    if (known !== undefined) return known as Versioned<T>;
    const reading = this.#known.begin(name);
    let opened: Versioned<T> | undefined;
    try {
      opened = openPair(this.#sealer, await this.#loader.load(name), decode);
      return opened;
    } finally {
      this.#known.settle(reading, opened);
    }
  }

  #notifyAll(events: readonly StoredAuditEvent[]): void {
    for (const event of events) {
      for (const listener of this.#listeners) notify(listener, event);
    }
  }
}

/** A listener that fails must not stop the others, and never a commit that is already durable. */
function notify(listener: (event: StoredAuditEvent) => void, event: StoredAuditEvent): void {
  try {
    listener(event);
  } catch {
    // The listener must report its own errors.
  }
}
