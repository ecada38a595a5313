import { copyFileSync, linkSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, SallyportError } from '../lib/errors.ts';
import type { Keyring } from '../sealing/keyring.ts';
import { createSealer, type Sealer } from '../sealing/seal.ts';
import { type AnchorState, readAnchor } from '../store/leveldb/anchor.ts';
import { checkDirectory, checkTrail } from '../store/leveldb/directory-check.ts';
import { isDiskFull, type LevelDb, openLevel, repairLevel } from '../store/leveldb/leveldb.ts';
import { cutTornEnds } from '../store/leveldb/open-files.ts';
import { freeBytes } from '../store/leveldb/reserve.ts';
import { type Meta, openMeta } from '../store/sealed/meta.ts';
import { metaKey } from '../store/sealed/record-keys.ts';

/** A store as it lies on disk, as far as it can be read. */
export interface ReadonlyCopy {
  readonly db: LevelDb;
  readonly sealer: Sealer;
  readonly meta: Meta | undefined;
  readonly anchor: AnchorState | undefined;
  /** It is known to be the newest there is: the anchor says so, and nothing had to be guessed. */
  readonly isNewest: boolean;
  /** What is wrong with it, and with its anchor; empty: nothing. */
  readonly problems: readonly string[];
}

/**
 * Opens a copy of a store, since LevelDB writes when it opens. Invariant: the store itself is read and never
 * written; tables, which are immutable, are linked and not copied.
 *
 * @returns undefined if nothing could be read
 */
export async function openCopy(
  paths: { readonly store: string; readonly anchor: string },
  keyring: Keyring,
  to: string,
): Promise<ReadonlyCopy | undefined> {
  const problems: string[] = [];
  const anchor = await tried(problems, async () => readAnchor(paths.anchor, keyring));
  const isThere = await tried(problems, async () => {
    copyDirectory(paths.store, to);
    return true;
  });
  if (!isThere) return undefined;
  const check = await tried(problems, () => checkDirectory(to, Number.POSITIVE_INFINITY));
  if (check !== undefined) cutTornEnds(to, check);
  // One damaged block of a table cannot hide a change without its marker showing it; a damaged log can.
  const hasAllChanges =
    (await tried(check === undefined ? [] : problems, async () => checkTrail(to) ?? true)) === true;
  const opened = await opening(to, problems);
  if (opened === undefined) return undefined;
  const { db, guessed } = opened;
  const sealer = createSealer(keyring);
  const meta = await tried(problems, async () => {
    const stored = await db.get(metaKey);
    if (stored === undefined) throw new Error('The store does not say any more what it holds.');
    return openMeta(sealer, stored);
  });
  const fits = anchor !== undefined && meta !== undefined && anchor.storeId === meta.storeId;
  if (anchor !== undefined && meta !== undefined && !fits)
    problems.push(`The anchor ${paths.anchor} belongs to another store than ${paths.store}.`);
  if (fits && meta.commit < anchor.commit)
    problems.push(`The store is at commit ${meta.commit}, but was at ${anchor.commit} before.`);
  const isNewest = fits && hasAllChanges && !guessed && meta.commit >= anchor.commit;
  return { db, sealer, meta, anchor, isNewest, problems };
}

/** Invariant: lack of disk space is not damage, or an intact store would be given up as lost. */
class NoRoom extends SallyportError<'store-unwritable'> {}

function noRoom(why: string, cause?: unknown): NoRoom {
  const text = `not enough disk space for a copy of the store, which has to be read: ${why}. Nothing was changed; free some space, then start this again.`;
  return new NoRoom('store-unwritable', text, cause === undefined ? undefined : { cause });
}

/** For what LevelDB makes beside what it saves; bytes. */
const roomToRepair = 1024 * 1024;

async function tried<T>(problems: string[], work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof NoRoom) throw error;
    if (isDiskFull(error)) throw noRoom(messageOf(error), error);
    problems.push(messageOf(error));
    return undefined;
  }
}

function copyDirectory(from: string, to: string): void {
  const names = readdirSync(from);
  mkdirSync(to, { mode: 0o700 });
  for (const name of names) {
    if (/^(LOCK|LOG|LOG\.old|probe)$/.test(name)) continue;
    if (name.endsWith('.ldb')) {
      try {
        linkSync(join(from, name), join(to, name));
        continue;
      } catch {
        // A file system without hard links.
      }
    }
    copyFileSync(join(from, name), join(to, name));
  }
}

/** LevelDB's own repair may bring back older values: its result is uncertain. */
async function opening(
  directory: string,
  problems: string[],
): Promise<{ readonly db: LevelDb; readonly guessed: boolean } | undefined> {
  const db = await tried(problems, () => openLevel(directory, false));
  if (db !== undefined) return { db, guessed: false };
  const repaired = await tried(problems, async () => {
    // It passes over what it has no room for, without a word.
    const bytes = readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
    const free = await freeBytes(directory);
    if (free < bytes + roomToRepair)
      throw noRoom(`${free} bytes are free, and ${bytes + roomToRepair} are needed`);
    await repairLevel(directory);
    return openLevel(directory, false);
  });
  return repaired === undefined ? undefined : { db: repaired, guessed: true };
}
