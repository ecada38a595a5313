/** Everything as it was at one moment, until it is closed. */
export interface DbSnapshot {
  close(): Promise<void>;
}

export interface ReadOptions {
  readonly snapshot?: DbSnapshot;
  /** false: what is read once is not kept in memory at the cost of what is read often. */
  readonly fillCache?: boolean;
}

export interface RangeOptions extends ReadOptions {
  readonly gt?: Buffer;
  readonly gte?: Buffer;
  readonly lt?: Buffer;
  readonly lte?: Buffer;
  /** From the end; `limit` counts from there. */
  readonly reverse?: boolean;
  readonly limit?: number;
}

export interface DbIterator {
  all(): Promise<[Buffer, Buffer][]>;
  /** The next ones, `size` of them at most; none: the end. */
  nextv(size: number): Promise<[Buffer, Buffer][]>;
  close(): Promise<void>;
}

export interface DbBatch {
  put(key: Buffer, value: Buffer): unknown;
  del(key: Buffer): unknown;
  /** All of it or nothing; `sync`: resolves after it is durable. */
  write(options: { readonly sync: boolean }): Promise<void>;
}

/**
 * What the sealed store asks of an engine: keys in the order of their bytes, snapshots, and batches that are durable
 * as a whole. LevelDB has this form by itself.
 */
export interface Db {
  /** 'open' until it is closed, or opened again in the place of this one. */
  readonly status: string;
  get(key: Buffer, options?: ReadOptions): Promise<Buffer | undefined>;
  /** On the event loop; for what lies in memory. */
  getSync(key: Buffer): Buffer | undefined;
  getMany(keys: Buffer[], options?: ReadOptions): Promise<(Buffer | undefined)[]>;
  iterator(range: RangeOptions): DbIterator;
  keys(range: RangeOptions): { all(): Promise<Buffer[]> };
  snapshot(): DbSnapshot;
  batch(): DbBatch;
}

/** The open database, which may be closed and opened again under those who use it. */
export interface DbHandle {
  /** Runs reads or writes. @throws store-closed, store-unreadable, record-damaged, and what `work` throws */
  use<T>(work: (db: Db) => Promise<T>): Promise<T>;
  /** What a read that failed within `work` means for who asked. */
  readError(error: unknown): unknown;
}
