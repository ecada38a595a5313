import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../lib/errors.ts';
import { isStoreError, storeError } from '../../sealing/error.ts';
import type { Keyring } from '../../sealing/keyring.ts';
import type { Sealer } from '../../sealing/seal.ts';
import { type Meta, openMeta } from '../sealed/meta.ts';
import { metaKey } from '../sealed/record-keys.ts';
import { Anchor, type AnchorState, readAnchor } from './anchor.ts';
import { checkDirectory, type DirectoryCheck, refuseMissing } from './directory-check.ts';
import { isDiskFull, type LevelDb, openLevel } from './leveldb.ts';
import { releaseReserve } from './reserve.ts';

export interface StoreFiles {
  /** The directory that LevelDB owns. */
  readonly directory: string;
  readonly anchor: string;
  readonly reserve: string;
  /** How much of the tables is read in full before they are trusted. */
  readonly checkBytes: number;
}

export function reservePath(directory: string): string {
  return `${directory}.reserve`;
}

export interface OpenFiles {
  readonly db: LevelDb;
  readonly meta: Meta;
  readonly anchor: Anchor;
}

/**
 * Opens a store that the caller has locked. Invariants:
 * - every reason to refuse that can be detected beforehand is detected before anything is written;
 * - no commit number below the anchor's, or below `atLeast`, is accepted;
 * - the anchor records that the store is in use before LevelDB runs: one damaged block can end the process, and
 *   the next start must then read everything first.
 *
 * @param atLeast for a store that this process had open: the last commit that it knows to be durable
 * @throws store-missing, store-damaged, store-anchor, store-key, store-schema, store-unreadable,
 *   store-unwritable, store-locked
 */
export async function openFiles(
  files: StoreFiles,
  keyring: Keyring,
  sealer: Sealer,
  atLeast?: number,
): Promise<OpenFiles> {
  refuseMissing(files.directory);
  const anchorState = readAnchor(files.anchor, keyring);
  const crashed = atLeast === undefined && !anchorState.clean;
  const check = await checkDirectory(files.directory, crashed ? Number.POSITIVE_INFINITY : files.checkBytes);
  const expected = metaOf(files.directory, sealer, check.meta);
  compare(files, expected, anchorState, atLeast ?? 0);

  const anchor = useAnchor(files.anchor, keyring, { ...anchorState, commit: expected.commit });
  try {
    cutTornEnds(files.directory, check);
    const db = await openWithReserve(files);
    try {
      return { db, meta: await whatIsStored(files.directory, sealer, db, expected), anchor };
    } catch (error) {
      await db.close();
      throw error;
    }
  } catch (error) {
    anchor.close();
    throw error;
  }
}

/** Verifies that LevelDB found what its files hold. */
async function whatIsStored(directory: string, sealer: Sealer, db: LevelDb, expected: Meta): Promise<Meta> {
  refuseLosses(directory);
  const stored = await db.get(metaKey);
  const meta = stored && metaOf(directory, sealer, stored);
  if (meta?.commit === expected.commit) return meta;
  throw storeError(
    'store-damaged',
    `LevelDB opened the store ${directory} at commit ${meta?.commit ?? 0}, its files say ${expected.commit}: changes are lost. Restore the store together with its anchor from a backup.`,
  );
}

function metaOf(directory: string, sealer: Sealer, envelope: Buffer): Meta {
  try {
    return openMeta(sealer, envelope);
  } catch (error) {
    if (isStoreError(error, 'store-key') || isStoreError(error, 'store-schema')) throw error;
    throw storeError(
      'store-damaged',
      `The store ${directory} is damaged, or was sealed with another master key: what it says of itself cannot be opened (${messageOf(error)}) Nothing was changed.`,
      error,
    );
  }
}

function compare(files: StoreFiles, meta: Meta, anchor: AnchorState, atLeast: number): void {
  const { directory } = files;
  if (anchor.storeId !== meta.storeId) {
    throw storeError(
      'store-anchor',
      `The anchor ${files.anchor} belongs to another store than ${directory}. Nothing was changed. Put back the store and the anchor that belong together.`,
    );
  }
  if (meta.commit < Math.max(anchor.commit, atLeast)) {
    const lost = Math.max(anchor.commit, atLeast);
    throw storeError(
      'store-anchor',
      `The store ${directory} is at commit ${meta.commit}, but it was at ${lost} before: the last ${lost - meta.commit} changes are lost. An older copy was put back, or its log was cut off. Nothing was changed: with it, used codes would be accepted again. Put back the newest store.`,
    );
  }
  if (anchor.clean && meta.commit > anchor.commit) {
    throw storeError(
      'store-anchor',
      `The anchor ${files.anchor} says that the store was closed at commit ${anchor.commit}, but ${directory} is at ${meta.commit}: an older anchor was put back. Nothing was changed. Put back the store and the anchor that belong together.`,
    );
  }
}

/** Truncates incomplete ends. LevelDB would drop them too, but treats one in the MANIFEST as damage. */
export function cutTornEnds(directory: string, check: Pick<DirectoryCheck, 'torn'>): void {
  try {
    for (const { path, at } of check.torn) {
      const fd = openSync(path, 'r+');
      try {
        ftruncateSync(fd, at);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    }
  } catch (error) {
    throw storeError(
      'store-unwritable',
      `The store ${directory} cannot be written: ${messageOf(error)}. Nothing that was acknowledged is lost.`,
      error,
    );
  }
}

async function openWithReserve(files: StoreFiles): Promise<LevelDb> {
  try {
    return await openLevel(files.directory, false);
  } catch (error) {
    if (!isDiskFull(error) || !releaseReserve(files.reserve)) throw error;
    return openLevel(files.directory, false);
  }
}

/** Defence in depth: refuses what LevelDB itself reports as dropped or ignored. All torn ends were cut before. */
function refuseLosses(directory: string): void {
  const lines = readFileSync(join(directory, 'LOG'), 'latin1').split('\n');
  const loss = lines.find((line) => /dropping \d+ bytes|Corruption|[Ii]gnoring error/.test(line));
  if (loss === undefined) return;
  throw storeError(
    'store-damaged',
    `LevelDB lost something when it opened the store ${directory}: ${loss.trim()}. Restore the store together with its anchor from a backup.`,
  );
}

function useAnchor(path: string, keyring: Keyring, state: AnchorState): Anchor {
  try {
    return new Anchor(path, keyring, state);
  } catch (error) {
    throw storeError(
      'store-unwritable',
      `Cannot write the anchor ${path}: ${messageOf(error)}. Is it read-only, or the disk failing?`,
      error,
    );
  }
}
