import { dirname } from 'node:path';
import type { Addon, FileLock } from '../../host/addon.ts';
import { messageOf, type SallyportError } from '../../lib/errors.ts';
import { storeError } from '../../sealing/error.ts';

/** The part of the addon that the store needs; closing another descriptor does not release flock(2). */
export type Locks = Pick<Addon, 'lockFile' | 'lockIsHeld'>;

/** The store's own lock, beside its directory: LevelDB's can be lost unnoticed. */
export interface StoreLock {
  held(): boolean;
  release(): void;
}

export function lockPath(directory: string): string {
  return `${directory}.lock`;
}

/** @throws store-locked, store-unwritable */
export function lockStore(directory: string, locks: Locks): StoreLock {
  const lock = take(directory, locks);
  return { held: () => locks.lockIsHeld(lock), release: () => lock.release() };
}

function take(directory: string, locks: Locks): FileLock {
  const path = lockPath(directory);
  try {
    return locks.lockFile(path);
  } catch (error) {
    if (error instanceof Error && (error as Partial<SallyportError>).code === 'locked') {
      throw storeError(
        'store-locked',
        `The store ${directory} is in use: another process holds ${path}. Nothing was changed; stop the other sallyportd first.`,
        error,
      );
    }
    throw storeError(
      'store-unwritable',
      `Cannot lock ${path}: ${messageOf(error)}. Is ${dirname(path)} read-only, or the disk full? Nothing was changed.`,
      error,
    );
  }
}
