import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { limits } from '../../limits.ts';
import { storeError } from '../../sealing/error.ts';
import type { Keyring } from '../../sealing/keyring.ts';
import { createSealer } from '../../sealing/seal.ts';
import { loadHashKeys } from '../sealed/hash-keys.ts';
import type { TrailBounds } from '../sealed/trail-pruning.ts';
import { LevelStore } from './level-store.ts';
import { type Locks, lockStore } from './lock.ts';
import { openFiles, reservePath } from './open-files.ts';

export interface OpenOptions {
  readonly directory: string;
  readonly anchor: string;
  readonly keyring: Keyring;
  readonly locks: Locks;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  readonly reserveBytes?: number;
  /** Bounds of the trail, also enforced while it is written; absent: only pruneEvents drops events. */
  readonly bounds?: () => TrailBounds;
  readonly overShare?: (payer: string) => void;
  readonly checkBytes?: number;
  /** Milliseconds until the first scrub, and between scrubs. */
  readonly scrubDelay?: number;
  readonly scrubInterval?: number;
}

const unbounded: TrailBounds = { keep: Number.POSITIVE_INFINITY, keepBytes: Number.POSITIVE_INFINITY };

/**
 * Opens the store that `init` created; never creates one. Every problem that can be detected beforehand is
 * detected before anything is written.
 *
 * @throws store-missing, store-damaged, store-locked, store-anchor, store-key, store-schema, store-unreadable,
 *   store-unwritable
 */
export async function openStore(options: OpenOptions): Promise<LevelStore> {
  const { directory, anchor, keyring, locks } = options;
  // LevelDB makes its files readable by all; the umask holds for the life of the process.
  process.umask(0o077);
  if (!existsSync(dirname(directory))) {
    throw storeError(
      'store-missing',
      `There is no store in ${directory}: not even ${dirname(directory)} is there. Mount or restore it, or make the first one with: sallyport init`,
    );
  }
  const lock = lockStore(directory, locks);
  try {
    const sealer = createSealer(keyring);
    const checkBytes = options.checkBytes ?? limits.checkAtOpenBytes;
    const files = { directory, anchor, reserve: reservePath(directory), checkBytes };
    const opened = await openFiles(files, keyring, sealer);
    await loadHashKeys(opened.db, sealer, keyring);
    return new LevelStore({
      files,
      keyring,
      sealer,
      lock,
      opened,
      now: options.now ?? Date.now,
      reserveBytes: options.reserveBytes ?? limits.reserveBytes,
      bounds: options.bounds ?? (() => unbounded),
      overShare: options.overShare ?? (() => undefined),
      scrubDelay: options.scrubDelay ?? limits.scrubDelay,
      scrubInterval: options.scrubInterval ?? limits.scrubInterval,
    });
  } catch (error) {
    lock.release();
    throw error;
  }
}
