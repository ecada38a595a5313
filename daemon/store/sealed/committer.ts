import type { StoredAuditEvent } from '../../audit/event.ts';
import { messageOf } from '../../lib/errors.ts';
import { limits } from '../../limits.ts';
import { storeError } from '../../sealing/error.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { CommitOutcome } from '../contract.ts';
import type { Change } from './change.ts';
import { CommitBatch, type Operation } from './commit-batch.ts';
import type { Db, DbHandle } from './db.ts';
import { KnownRecords } from './known-records.ts';
import { heldEvents, type Meta } from './meta.ts';
import { isOver, nextDrop, type ToDrop, type TrailBounds } from './trail-pruning.ts';

interface Waiting {
  readonly change: Change;
  readonly resolve: (outcome: CommitOutcome) => void;
  readonly reject: (error: unknown) => void;
}

interface WaitingDrop {
  readonly wanted: ToDrop;
  readonly resolve: (dropped: number) => void;
  readonly reject: (error: unknown) => void;
}

/** Callbacks around the commits. */
export interface CommitterEvents {
  /** Bounds of the trail; called before each commit batch. */
  bounds(): TrailBounds;
  /** A commit batch is on disk; called before any caller receives its result. */
  durable(meta: Meta, events: readonly StoredAuditEvent[]): void;
  /** A write failed: it may have been stored. Nothing more may be written through this handle. */
  failed(error: unknown): void;
}

/**
 * Group commit: changes queue, and each commit batch takes all that wait and makes them durable with one fsync.
 *
 * Invariants:
 * - batches run one at a time, and no caller receives a result, not even of a conflict, before its batch is on disk;
 * - after a failed write nothing is written until the store was reopened: LevelDB's log may end in half a record,
 *   and LevelDB would ignore everything after it;
 * - before a batch the trail is pruned to its bounds: it exceeds them by at most what one batch adds.
 */
export class Committer {
  readonly #handle: DbHandle;
  readonly #sealer: Sealer;
  readonly #events: CommitterEvents;
  readonly #known: KnownRecords;
  #meta: Meta;
  #queue: Waiting[] = [];
  #drops: WaitingDrop[] = [];
  #draining: Promise<void> | undefined;
  #refusal: Error | undefined;
  /** Start of the write in progress; monotonic. */
  #writingSince: number | undefined;

  constructor(
    handle: DbHandle,
    sealer: Sealer,
    meta: Meta,
    events: CommitterEvents,
    known = new KnownRecords(),
  ) {
    this.#known = known;
    this.#handle = handle;
    this.#sealer = sealer;
    this.#meta = meta;
    this.#events = events;
  }

  /** As of the last durable batch. */
  get meta(): Meta {
    return this.#meta;
  }

  /** Milliseconds; undefined: no write is in progress. */
  get writingFor(): number | undefined {
    return this.#writingSince === undefined ? undefined : performance.now() - this.#writingSince;
  }

  submit(change: Change): Promise<CommitOutcome> {
    if (this.#refusal) return Promise.reject(this.#refusal);
    return new Promise((resolve, reject) => {
      this.#queue.push({ change, resolve, reject });
      this.#draining ??= this.#drain();
    });
  }

  /** Prunes the trail by one step. @returns the number of events dropped; 0: nothing more to drop */
  drop(wanted: ToDrop): Promise<number> {
    if (this.#refusal) return Promise.reject(this.#refusal);
    return new Promise((resolve, reject) => {
      this.#drops.push({ wanted, resolve, reject });
      this.#draining ??= this.#drain();
    });
  }

  /** Rejects every new change with this error. */
  stopTaking(error: Error): void {
    this.#refusal = error;
    this.#known.stop();
  }

  /** Rejects every new and every waiting change with this error. A batch in progress continues. */
  refuse(error: Error): void {
    this.stopTaking(error);
    for (const { reject } of [...this.#queue.splice(0), ...this.#drops.splice(0)]) reject(error);
  }

  /** Accepts commits again, based on what is on disk now. */
  resume(meta: Meta): void {
    this.#meta = meta;
    this.#refusal = undefined;
    this.#known.resume();
  }

  /** Resolves once nothing is in progress. */
  async settled(): Promise<void> {
    await this.#draining;
  }

  async #drain(): Promise<void> {
    // Changes submitted in this same tick join the batch.
    await new Promise<void>((resolve) => process.nextTick(resolve));
    while (this.#queue.length + this.#drops.length > 0) {
      if (isOver(this.#meta, this.#events.bounds())) await this.#keepBounds();
      for (const { wanted, resolve, reject } of this.#drops.splice(0))
        await this.#dropOnce(wanted).then(resolve, reject);
      const turn = this.#queue.splice(0, limits.commitsPerSync);
      try {
        if (turn.length > 0) await this.#handle.use((db) => this.#run(db, turn));
      } catch (error) {
        for (const { reject } of turn) reject(error);
      }
    }
    this.#draining = undefined;
  }

  /** A failure to prune, because an event cannot be read or written, must not prevent a login attempt. */
  async #keepBounds(): Promise<void> {
    const bounds = this.#events.bounds();
    const wanted = { ...bounds, before: Number.NEGATIVE_INFINITY };
    try {
      while (isOver(this.#meta, bounds) && (await this.#dropOnce(wanted)) > 0);
    } catch {
      // The next batch retries it, and the hourly pass reports it.
    }
  }

  /** @returns number of events dropped */
  async #dropOnce(wanted: ToDrop): Promise<number> {
    return this.#handle.use(async (db) => {
      const drop = await nextDrop(db, this.#sealer, this.#meta, wanted);
      if (drop === undefined) return 0;
      const before = heldEvents(this.#meta);
      await new Promise<CommitOutcome>((resolve, reject) => {
        void this.#run(db, [{ change: { records: [], events: [], drop }, resolve, reject }]).catch(reject);
      });
      return Math.max(1, before - heldEvents(this.#meta));
    });
  }

  async #run(db: Db, waiting: readonly Waiting[]): Promise<void> {
    const turn = new CommitBatch(db, this.#sealer, this.#meta, this.#known);
    const answers = waiting.map((one) => answerOf(turn, one, this.#handle));
    if (turn.operations.length > 0) {
      const meta = turn.finish();
      this.#writingSince = performance.now();
      try {
        await write(db, turn.operations);
      } catch (error) {
        this.#fail(error, waiting);
        return;
      } finally {
        this.#writingSince = undefined;
      }
      this.#meta = meta;
      if (waiting.some(({ change }) => change.reseal !== undefined)) this.#known.clear();
      for (const [name, { version, value }] of turn.written) this.#known.written(name, version, value);
      this.#events.durable(meta, turn.events);
    }
    for (const answer of answers) answer();
  }

  #fail(error: unknown, waiting: readonly Waiting[]): void {
    const refusal = storeError(
      'store-unwritable',
      `The change could not be stored safely: ${messageOf(error)}. It may have been stored all the same.`,
      error,
    );
    this.#known.stop();
    this.#events.failed(error);
    for (const { reject } of waiting) reject(refusal);
  }
}

/** One atomic write with fsync. A chained batch takes a third of the time of an array. */
async function write(db: Db, operations: readonly Operation[]): Promise<void> {
  const batch = db.batch();
  for (const operation of operations) {
    if (operation.type === 'put') batch.put(operation.key, operation.value);
    else batch.del(operation.key);
  }
  await batch.write({ sync: true });
}

/** Evaluates one change now; the returned function settles it later. */
function answerOf(
  turn: CommitBatch,
  { change, resolve, reject }: Waiting,
  handle: Pick<DbHandle, 'readError'>,
): () => void {
  try {
    const outcome = turn.apply(change);
    return () => resolve(outcome);
  } catch (error) {
    const refusal = handle.readError(error);
    return () => reject(refusal);
  }
}
