import { Level } from 'level';
import { messageOf } from '../../lib/errors.ts';
import { isStoreError, storeError, systemCode } from '../../sealing/error.ts';
import type { Db, DbHandle } from '../sealed/db.ts';

export type LevelDb = Level<Buffer, Buffer>;

/** Opens LevelDB on a directory that was checked before. Creates a database only with `create`. */
export async function openLevel(directory: string, create: boolean): Promise<LevelDb> {
  const db: LevelDb = new Level<Buffer, Buffer>(directory, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    createIfMissing: create,
    errorIfExists: create,
    // Sealed bytes do not compress, and the table checks read them as stored.
    compression: false,
  });
  try {
    await db.open();
  } catch (error) {
    throw openError(directory, error);
  }
  return db;
}

/** LevelDB's own repair: it keeps whatever it finds, including older values. Use it only on a copy. */
export async function repairLevel(directory: string): Promise<void> {
  // The types of `level` cover only what browsers support too.
  await (Level as unknown as { repair(location: string): Promise<void> }).repair(directory);
}

/** Whether LevelDB could not be opened for lack of disk space. */
export function isDiskFull(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (/No space left|quota exceeded|File too large/i.test(at.message)) return true;
  }
  return ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(systemCode(error) ?? '');
}

function openError(directory: string, error: unknown): Error {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const why = messageOf(cause);
  switch (levelCode(cause)) {
    case 'LEVEL_LOCKED':
      return storeError(
        'store-locked',
        `The store ${directory} is in use by another process. Nothing was changed.`,
        error,
      );
    case 'LEVEL_CORRUPTION':
      return storeError(
        'store-damaged',
        `The store ${directory} is damaged: ${why}. Restore the store together with its anchor from a backup.`,
        error,
      );
    default:
      return storeError(
        'store-unwritable',
        `The store ${directory} cannot be opened: ${why}. LevelDB must be able to write when it opens: make room, or mount the file system read-write.`,
        error,
      );
  }
}

/** Translates a failed read into the error for the caller. */
export function readError(error: unknown): unknown {
  switch (levelCode(error)) {
    case 'LEVEL_CORRUPTION':
      return storeError(
        'record-damaged',
        `A block of the store is damaged: ${messageOf(error)}. What is in it is refused; restore the store from a backup.`,
        error,
      );
    case 'LEVEL_IO_ERROR':
      return storeError('store-unreadable', `The store cannot be read: ${messageOf(error)}.`, error);
    default:
      return error;
  }
}

function levelCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/**
 * The open database, which can be closed and reopened while in use: callers wait meanwhile, and none of them
 * ever holds a closed database.
 */
export class LevelHandle implements DbHandle {
  readonly readError = readError;
  #db: LevelDb | undefined;
  #absence: Error = storeError('store-closed', 'The store is closed.');
  #users = 0;
  #swap: Promise<void> | undefined;
  #idle: (() => void) | undefined;

  constructor(db: LevelDb) {
    this.#db = db;
  }

  /** Runs reads or writes. @throws store-closed, store-unreadable, record-damaged, and what `work` throws */
  async use<T>(work: (db: Db) => Promise<T>): Promise<T> {
    while (this.#swap !== undefined) await this.#swap;
    if (!this.#db) throw this.#absence;
    this.#users += 1;
    try {
      return await work(this.#db);
    } catch (error) {
      throw readError(error);
    } finally {
      this.#users -= 1;
      if (this.#users === 0) this.#idle?.();
    }
  }

  /** Closes the database once no operation uses it, then installs the one that `open` returns; all others wait. */
  async reopen(open: () => Promise<LevelDb>): Promise<void> {
    await this.#exclusive(async () => {
      await this.#close();
      try {
        this.#db = await open();
      } catch (error) {
        this.#absence = storeError('store-unreadable', `The store is not open: ${messageOf(error)}`, error);
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    await this.#exclusive(async () => {
      await this.#close();
      if (!isStoreError(this.#absence, 'store-closed')) {
        this.#absence = storeError('store-closed', 'The store is closed.');
      }
    });
  }

  async #close(): Promise<void> {
    const db = this.#db;
    this.#db = undefined;
    await db?.close();
  }

  async #exclusive(work: () => Promise<void>): Promise<void> {
    while (this.#swap !== undefined) await this.#swap;
    let done: () => void = () => {};
    this.#swap = new Promise((resolve) => {
      done = resolve;
    });
    try {
      if (this.#users > 0) {
        await new Promise<void>((resolve) => {
          this.#idle = resolve;
        });
        this.#idle = undefined;
      }
      await work();
    } finally {
      this.#swap = undefined;
      done();
    }
  }
}
