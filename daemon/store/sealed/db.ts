/** The state of the database at one moment, until it is closed. */
export interface DbSnapshot {
  close(): Promise<void>;
}

export interface ReadOptions {
  readonly snapshot?: DbSnapshot;
  /** false: data that is read once does not displace frequently read data from the cache. */
  readonly fillCache?: boolean;
}

export interface RangeOptions extends ReadOptions {
  readonly gt?: Buffer;
  readonly gte?: Buffer;
  readonly lt?: Buffer;
  readonly lte?: Buffer;
  /** From the end; `limit` counts from the end too. */
  readonly reverse?: boolean;
  readonly limit?: number;
}

export interface DbIterator {
  all(): Promise<[Buffer, Buffer][]>;
  /** The next entries, at most `size`; empty: the end. */
  nextv(size: number): Promise<[Buffer, Buffer][]>;
  close(): Promise<void>;
}

export interface DbBatch {
  put(key: Buffer, value: Buffer): unknown;
  del(key: Buffer): unknown;
  /** Atomic; with `sync`, resolves after the write is durable. */
  write(options: { readonly sync: boolean }): Promise<void>;
}

/**
 * What the sealed store requires of an engine: keys ordered by their bytes, snapshots, and atomic, durable batches.
 * LevelDB's interface has this form without an adapter.
 */
export interface Db {
  /** 'open' until it is closed, or replaced when the store is reopened. */
  readonly status: string;
  get(key: Buffer, options?: ReadOptions): Promise<Buffer | undefined>;
  /** Blocks the event loop; for data that is in memory. */
  getSync(key: Buffer): Buffer | undefined;
  getMany(keys: Buffer[], options?: ReadOptions): Promise<(Buffer | undefined)[]>;
  iterator(range: RangeOptions): DbIterator;
  keys(range: RangeOptions): { all(): Promise<Buffer[]> };
  snapshot(): DbSnapshot;
  batch(): DbBatch;
}

/** The open database, which may be closed and reopened while in use. */
export interface DbHandle {
  /** Runs reads or writes. @throws store-closed, store-unreadable, record-damaged, and what `work` throws */
  use<T>(work: (db: Db) => Promise<T>): Promise<T>;
  /** Translates a read that failed within `work` into the error for the caller. */
  readError(error: unknown): unknown;
}
