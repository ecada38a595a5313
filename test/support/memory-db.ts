import { setImmediate as turn } from 'node:timers/promises';
import type {
  Db,
  DbBatch,
  DbHandle,
  DbIterator,
  DbSnapshot,
  RangeOptions,
  ReadOptions,
} from '../../daemon/store/sealed/db.ts';

type Entry = readonly [Buffer, Buffer];
type Entries = readonly Entry[];

class Moment implements DbSnapshot {
  readonly entries: Entries;

  constructor(entries: Entries) {
    this.entries = entries;
  }

  async close(): Promise<void> {}
}

/** Where a key is, or would be. */
function placeOf(entries: Entries, key: Buffer): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.[0].compare(key) ?? 1) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function within(entries: Entries, { gt, gte, lt, lte, reverse, limit }: RangeOptions): Entries {
  const begin = gt ?? gte;
  const end = lte ?? lt;
  let from = begin === undefined ? 0 : placeOf(entries, begin);
  if (gt !== undefined && entries[from]?.[0].equals(gt)) from += 1;
  let to = end === undefined ? entries.length : placeOf(entries, end);
  if (lte !== undefined && entries[to]?.[0].equals(lte)) to += 1;
  const found = entries.slice(from, Math.max(from, to));
  const ordered = reverse ? found.reverse() : found;
  return limit === undefined || limit < 0 ? ordered : ordered.slice(0, limit);
}

const copied = ([key, value]: Entry): [Buffer, Buffer] => [Buffer.from(key), Buffer.from(value)];

/** What the sealed store asks of an engine, without a disk. Writes replace the list, so a snapshot is the list itself. */
export class MemoryDb implements Db {
  status = 'open';
  #entries: Entries = [];

  async get(key: Buffer, options: ReadOptions = {}): Promise<Buffer | undefined> {
    return (await this.getMany([key], options))[0];
  }

  getSync(key: Buffer): Buffer | undefined {
    return find(this.#entries, key);
  }

  async getMany(keys: Buffer[], options: ReadOptions = {}): Promise<(Buffer | undefined)[]> {
    const entries = this.#at(options);
    await turn();
    return keys.map((key) => find(entries, key));
  }

  iterator(range: RangeOptions): DbIterator {
    const found = within(this.#at(range), range).map(copied);
    let at = 0;
    const nextv = async (size: number) => {
      await turn();
      at += size;
      return found.slice(at - size, at);
    };
    return { nextv, all: () => nextv(found.length), close: async () => undefined };
  }

  keys(range: RangeOptions): { all(): Promise<Buffer[]> } {
    return { all: async () => (await this.iterator(range).all()).map(([key]) => key) };
  }

  snapshot(): DbSnapshot {
    return new Moment(this.#entries);
  }

  batch(): DbBatch {
    const operations: { readonly key: Buffer; readonly value: Buffer | undefined }[] = [];
    return {
      put: (key, value) => operations.push({ key, value }),
      del: (key) => operations.push({ key, value: undefined }),
      write: async () => {
        await turn();
        this.apply(operations);
      },
    };
  }

  apply(operations: readonly { readonly key: Buffer; readonly value: Buffer | undefined }[]): void {
    const entries = [...this.#entries];
    for (const { key, value } of operations) {
      const at = placeOf(entries, key);
      const had = entries[at]?.[0].equals(key) ? 1 : 0;
      if (value === undefined) entries.splice(at, had);
      else entries.splice(at, had, copied([key, value]));
    }
    this.#entries = entries;
  }

  #at({ snapshot }: ReadOptions): Entries {
    return snapshot instanceof Moment ? snapshot.entries : this.#entries;
  }
}

function find(entries: Entries, key: Buffer): Buffer | undefined {
  const entry = entries[placeOf(entries, key)];
  return entry?.[0].equals(key) ? Buffer.from(entry[1]) : undefined;
}

/** Until it is closed. */
export class MemoryHandle implements DbHandle {
  readonly db: MemoryDb;
  readonly #closed: Error;

  /** @param closed what is thrown after it was closed */
  constructor(db: MemoryDb, closed: Error) {
    this.db = db;
    this.#closed = closed;
  }

  async use<T>(work: (db: Db) => Promise<T>): Promise<T> {
    if (this.db.status !== 'open') throw this.#closed;
    return work(this.db);
  }

  readError(error: unknown): unknown {
    return error;
  }
}
