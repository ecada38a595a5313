import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { syncFolder } from '../../lib/durable.ts';
import { messageOf, SallyportError } from '../../lib/errors.ts';
import { limits } from '../../limits.ts';
import { storeError } from '../../sealing/error.ts';
import type { Keyring } from '../../sealing/keyring.ts';
import { createSealer, type Sealer } from '../../sealing/seal.ts';
import { sealMeta } from '../sealed/meta.ts';
import { metaKey } from '../sealed/record-keys.ts';
import { createAnchor } from './anchor.ts';
import { openLevel } from './leveldb.ts';
import { type Locks, lockStore } from './lock.ts';
import { reservePath } from './open-files.ts';
import { keepReserve } from './reserve.ts';

export interface CreateOptions {
  readonly folder: string;
  readonly anchor: string;
  readonly keyring: Keyring;
  readonly locks: Locks;
  readonly reserveBytes?: number;
}

/**
 * Makes a new, empty store; the only place that ever does. MUST hold here: a folder or an anchor that is there
 * is left alone, whatever is in it; what is reported as made survives a power cut.
 *
 * @throws store-exists, store-locked, store-unwritable
 */
export async function createStore(options: CreateOptions): Promise<void> {
  const { folder, anchor, keyring, locks } = options;
  // LevelDB makes its files readable by all; that lasts for the life of the process.
  process.umask(0o077);
  refuseExisting(folder, anchor);
  const lock = lockStore(folder, locks);
  try {
    refuseExisting(folder, anchor);
    await makeBoth(folder, anchor, keyring);
    await keepReserve(reservePath(folder), options.reserveBytes ?? limits.reserveBytes);
  } finally {
    lock.release();
  }
}

function refuseExisting(folder: string, anchor: string): void {
  if (existsSync(folder)) {
    throw storeError(
      'store-exists',
      `${folder} is there already. It was left as it is; only a new folder becomes a store. If it is left over from an init that was interrupted, remove it yourself.`,
    );
  }
  if (existsSync(anchor)) {
    throw storeError(
      'store-exists',
      `There is no store in ${folder}, but its anchor ${anchor} is there: there was one. Nothing was changed. Mount or restore it; only to begin anew, without any of its accounts, remove the anchor yourself.`,
    );
  }
}

async function makeBoth(folder: string, anchor: string, keyring: Keyring): Promise<void> {
  const storeId = randomBytes(16).toString('hex');
  try {
    mkdirSync(folder, { mode: 0o700 });
    await fillFolder(folder, createSealer(keyring), storeId);
    syncFolder(folder);
    syncFolder(dirname(folder));
    createAnchor(anchor, keyring, storeId, 0);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    rmSync(anchor, { force: true });
    if (error instanceof SallyportError) throw error;
    throw storeError('store-unwritable', `Cannot make a store in ${folder}: ${messageOf(error)}.`, error);
  }
}

async function fillFolder(folder: string, sealer: Sealer, storeId: string): Promise<void> {
  const db = await openLevel(folder, true);
  try {
    const meta = sealMeta(sealer, { storeId, commit: 0, accounts: 0, first: 1, last: 0 });
    await db.put(metaKey, meta, { sync: true });
  } finally {
    await db.close();
  }
}
