import type { StoredAuditEvent } from '../../audit/event.ts';
import { messageOf } from '../../lib/errors.ts';
import { limits } from '../../limits.ts';
import { storeError } from '../../sealing/error.ts';
import type { Keyring } from '../../sealing/keyring.ts';
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
import { readEvents, searchEvents } from '../sealed/audit-trail.ts';
import { checkChain } from '../sealed/chain-check.ts';
import { type Entry, encodeCommit } from '../sealed/change.ts';
import { Committer } from '../sealed/committer.ts';
import type { HashKey } from '../sealed/hash-keys.ts';
import { listAccounts } from '../sealed/listing.ts';
import { heldEvents, type Meta, trailBytes } from '../sealed/meta.ts';
import { createPairOpener, openPair, type PairOpener } from '../sealed/reader.ts';
import { tokenName } from '../sealed/record-keys.ts';
import { RecordLoader } from '../sealed/record-loader.ts';
import { decodeToken } from '../sealed/records.ts';
import { ScrubSchedule } from '../sealed/scrub-schedule.ts';
import { type StoreSnapshot, takeSnapshot } from '../sealed/snapshot.ts';
import type { TrailBounds } from '../sealed/trail-pruning.ts';
import { createShares, type Shares } from '../sealed/trail-shares.ts';
import { AnchorFollower } from './anchor-follower.ts';
import { LevelHandle } from './leveldb.ts';
import type { StoreLock } from './lock.ts';
import { type OpenFiles, openFiles, type StoreFiles } from './open-files.ts';
import { probeFolder } from './probe.ts';
import { keepReserve } from './reserve.ts';

export interface LevelStoreParts {
  readonly files: StoreFiles;
  readonly keyring: Keyring;
  readonly sealer: Sealer;
  readonly lock: StoreLock;
  readonly opened: OpenFiles;
  readonly now: () => number;
  readonly reserveBytes: number;
  /** What the trail may hold. */
  readonly bounds: () => TrailBounds;
  /** Who has written more than its share, once a day. */
  readonly overShare: (payer: string) => void;
  readonly scrubDelay: number;
  readonly scrubInterval: number;
}

type State =
  | { readonly kind: 'ok' | 'closed' }
  /** `lasting`: only a restart helps. */
  | {
      readonly kind: 'unwritable';
      readonly reason: string;
      readonly since: number;
      readonly lasting: boolean;
    };

/** About once a minute. */
const ROUNDS_PER_RESERVE = 60;

/** The store on LevelDB. */
export class LevelStore implements Store {
  readonly #parts: LevelStoreParts;
  readonly #handle: LevelHandle;
  readonly #loader: RecordLoader;
  readonly #open: PairOpener;
  readonly #committer: Committer;
  readonly #scrubs: ScrubSchedule;
  readonly #shares: Shares;
  readonly #listeners = new Set<(event: StoredAuditEvent) => void>();
  readonly #housekeeping: NodeJS.Timeout;
  #anchor: AnchorFollower;
  #state: State = { kind: 'ok' };
  #rounds = 0;
  #round: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(parts: LevelStoreParts) {
    const { opened, sealer } = parts;
    this.#parts = parts;
    this.#handle = new LevelHandle(opened.db);
    this.#loader = new RecordLoader(this.#handle);
    this.#open = createPairOpener(sealer, limits.openedRecords);
    this.#committer = new Committer(this.#handle, sealer, opened.meta, {
      bounds: parts.bounds,
      durable: (meta, events) => this.#durable(meta, events),
      failed: (error) => this.#cannotWrite(messageOf(error)),
    });
    this.#shares = createShares(parts.bounds, parts.overShare);
    this.#anchor = this.#follow(opened);
    this.#scrubs = new ScrubSchedule({
      handle: this.#handle,
      sealer,
      folder: parts.files.folder,
      now: parts.now,
      delay: parts.scrubDelay,
      interval: parts.scrubInterval,
    });
    this.#housekeeping = setInterval(() => this.#keepHouse(), limits.reopenInterval).unref();
    this.#keepHouse();
  }

  async account(account: string): Promise<Versioned<AccountRecord>> {
    return this.#open(await this.#loader.load(account));
  }

  async token(token: string): Promise<Versioned<YubikeyCounterRecord>> {
    return openPair(this.#parts.sealer, await this.#loader.load(tokenName(token)), decodeToken);
  }

  async commit(commit: Commit): Promise<CommitOutcome> {
    const { change, settle } = this.#shares.judge(encodeCommit(commit), commit.from);
    const outcome = await this.#committer.submit(change);
    if (outcome === 'committed') settle();
    return outcome;
  }

  accounts(options: Parameters<Store['accounts']>[0]): ReturnType<Store['accounts']> {
    return this.#handle.use((db) => listAccounts(db, this.#parts.sealer, options));
  }

  events(options: Parameters<Store['events']>[0]): ReturnType<Store['events']> {
    return this.#handle.use((db) => readEvents(db, this.#parts.sealer, options));
  }

  search(options: Parameters<Store['search']>[0]): ReturnType<Store['search']> {
    return this.#handle.use((db) => searchEvents(db, this.#parts.sealer, options));
  }

  checkTrail(options: Parameters<Store['checkTrail']>[0]): ReturnType<Store['checkTrail']> {
    return this.#handle.use((db) => checkChain(db, this.#parts.sealer, options));
  }

  follow(listener: (event: StoredAuditEvent) => void): () => void {
    // Wrapped, so that the same function can listen twice.
    const own = (event: StoredAuditEvent): void => listener(event);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  health(): StoreHealth {
    const { meta } = this.#committer;
    const { commit, accounts, first, last, chain } = meta;
    const state = this.#state;
    const { writingFor } = this.#committer;
    return {
      state: state.kind,
      ...(writingFor === undefined ? {} : { writingFor }),
      ...(state.kind === 'unwritable' ? { reason: state.reason, since: state.since } : {}),
      commit,
      accounts,
      events: { first, last },
      trail: {
        bytes: trailBytes(meta),
        held: heldEvents(meta),
        ...(chain === undefined ? {} : { head: chain.head }),
      },
      anchorCommit: this.#anchor.commit,
      scrub: this.#scrubs.report(),
    };
  }

  async snapshot(): Promise<StoreSnapshot> {
    const db = await this.#handle.use(async (open) => open);
    return takeSnapshot(db, this.#parts.sealer);
  }

  /** For a change of master keys: entries under the present key, and hash keys of older ones. */
  async reseal(entries: readonly Entry[], hashKeys: readonly HashKey[] = []): Promise<void> {
    await this.#committer.submit({ records: [], events: [], reseal: entries, hashKeys });
  }

  /** The anchor under the present key. */
  resealAnchor(): Promise<void> {
    return this.#anchor.rewrite();
  }

  scrub(): Promise<void> {
    return this.#scrubs.run();
  }

  async pruneEvents(options: Parameters<Store['pruneEvents']>[0]): Promise<number> {
    const wanted = { keepBytes: Number.POSITIVE_INFINITY, ...options };
    for (let dropped = 0; ; ) {
      const now = await this.#committer.drop(wanted);
      if (now === 0) return dropped;
      dropped += now;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #durable(meta: Meta, events: readonly StoredAuditEvent[]): void {
    this.#anchor.note(meta.commit);
    for (const event of events) {
      for (const listener of this.#listeners) notify(listener, event);
    }
  }

  #follow({ anchor }: OpenFiles): AnchorFollower {
    return new AnchorFollower(anchor, limits.anchorInterval, (error) =>
      this.#cannotWrite(`the anchor cannot be written: ${messageOf(error)}`),
    );
  }

  #cannotWrite(reason: string, lasting = false): void {
    if (this.#state.kind === 'closed') return;
    const since = this.#state.kind === 'unwritable' ? this.#state.since : this.#parts.now();
    this.#state = { kind: 'unwritable', reason, since, lasting };
    const next = lasting ? 'Restart sallyportd.' : 'It is tried again all the time.';
    this.#committer.refuse(
      storeError(
        'store-unwritable',
        `The store cannot be written since ${new Date(since).toISOString()}: ${reason}. Nothing of this change was stored. ${next}`,
      ),
    );
  }

  /** Once a second: is the lock still there, can a store that could not be written be written again? */
  #keepHouse(): void {
    const before = this.#round;
    this.#round = before.then(() => this.#oneRound()).catch(() => {});
  }

  async #oneRound(): Promise<void> {
    const state = this.#state;
    if (this.#closing || (state.kind === 'unwritable' && state.lasting)) return;
    if (!this.#parts.lock.held()) {
      this.#cannotWrite(
        `its lock ${this.#parts.files.folder}.lock was removed or replaced, so another process may be writing it`,
        true,
      );
      return;
    }
    if (state.kind === 'unwritable') await this.#reopen();
    else if (this.#rounds % ROUNDS_PER_RESERVE === 0) {
      await keepReserve(this.#parts.files.reserve, this.#parts.reserveBytes);
    }
    this.#rounds += 1;
  }

  /** The same checks as at the start, on top of what this process knows to be durable. */
  async #reopen(): Promise<void> {
    const { files, keyring, sealer } = this.#parts;
    try {
      await probeFolder(files.folder);
      await this.#committer.settled();
      await this.#anchor.stop();
      let opened: OpenFiles | undefined;
      await this.#handle.reopen(async () => {
        opened = await openFiles(files, keyring, sealer, this.#committer.meta.commit);
        return opened.db;
      });
      if (!opened) return;
      this.#anchor.close();
      this.#anchor = this.#follow(opened);
      this.#state = { kind: 'ok' };
      this.#rounds = 0;
      this.#committer.resume(opened.meta);
    } catch (error) {
      this.#cannotWrite(messageOf(error));
    }
  }

  async #close(): Promise<void> {
    clearInterval(this.#housekeeping);
    await this.#round;
    this.#scrubs.stop();
    this.#committer.stopTaking(storeError('store-closed', 'The store is closed.'));
    await this.#committer.settled();
    const clean = this.#state.kind === 'ok';
    this.#state = { kind: 'closed' };
    await this.#anchor.stop();
    await this.#handle.close();
    try {
      if (clean) this.#anchor.finish(this.#committer.meta.commit, true);
    } finally {
      this.#anchor.close();
      this.#parts.lock.release();
    }
  }
}

/** One listener that fails must not stop the others, let alone a commit that is already durable. */
function notify(listener: (event: StoredAuditEvent) => void, event: StoredAuditEvent): void {
  try {
    listener(event);
  } catch {
    // It is the listener's own to report.
  }
}
