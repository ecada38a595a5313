import { Level } from 'level';
import { messageOf } from '../../lib/errors.ts';
import { isStoreError, storeError, systemCode } from '../../sealing/error.ts';
import type { Db, DbHandle } from '../sealed/db.ts';

export type LevelDb = Level<Buffer, Buffer>;

/** Opens LevelDB on a directory that was looked at before. Never creates one unless told to. */
export async function openLevel(directory: string, create: boolean): Promise<LevelDb> {
  const db: LevelDb = new Level<Buffer, Buffer>(directory, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    createIfMissing: create,
    errorIfExists: create,
    // Sealed bytes cannot be packed, and the checks of the tables read them as they are.
    compression: false,
  });
  try {
    await db.open();
  } catch (error) {
    throw openError(directory, error);
  }
  return db;
}

/** LevelDB's own: it keeps what it can find, older values too. Only ever for a copy. */
export async function repairLevel(directory: string): Promise<void> {
  // The types of `level` are those that browsers have too.
  await (Level as unknown as { repair(location: string): Promise<void> }).repair(directory);
}

/** Whether LevelDB could not be opened for want of room. */
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

/** What a failed read means for who asked. */
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
 * The open database, which can be closed and opened anew under those who use it: they wait, and none of them
 * ever holds one that is closed.
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

  /** Closes the database once nobody uses it, then takes the one that `open` brings; all others wait. */
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
