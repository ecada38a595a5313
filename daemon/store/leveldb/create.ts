import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { syncDirectory } from '../../lib/durable.ts';
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
  readonly directory: string;
  readonly anchor: string;
  readonly keyring: Keyring;
  readonly locks: Locks;
  readonly reserveBytes?: number;
}

/**
 * Creates a new, empty store; no other code does. Invariants: an existing directory or anchor is never changed,
 * whatever it contains; a store that is reported as created survives a power failure.
 *
 * @throws store-exists, store-locked, store-unwritable
 */
export async function createStore(options: CreateOptions): Promise<void> {
  const { directory, anchor, keyring, locks } = options;
  // LevelDB makes its files readable by all; the umask holds for the life of the process.
  process.umask(0o077);
  refuseExisting(directory, anchor);
  const lock = lockStore(directory, locks);
  try {
    refuseExisting(directory, anchor);
    await makeBoth(directory, anchor, keyring);
    await keepReserve(reservePath(directory), options.reserveBytes ?? limits.reserveBytes);
  } finally {
    lock.release();
  }
}

function refuseExisting(directory: string, anchor: string): void {
  if (existsSync(directory)) {
    throw storeError(
      'store-exists',
      `${directory} is there already. It was left as it is; only a new directory becomes a store. If it is left over from an init that was interrupted, remove it yourself.`,
    );
  }
  if (existsSync(anchor)) {
    throw storeError(
      'store-exists',
      `There is no store in ${directory}, but its anchor ${anchor} is there: there was one. Nothing was changed. Mount or restore it; only to start without any of its accounts, remove the anchor yourself.`,
    );
  }
}

async function makeBoth(directory: string, anchor: string, keyring: Keyring): Promise<void> {
  const storeId = randomBytes(16).toString('hex');
  try {
    mkdirSync(directory, { mode: 0o700 });
    await fillDirectory(directory, createSealer(keyring), storeId);
    syncDirectory(directory);
    syncDirectory(dirname(directory));
    createAnchor(anchor, keyring, storeId, 0);
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    rmSync(anchor, { force: true });
    if (error instanceof SallyportError) throw error;
    throw storeError('store-unwritable', `Cannot make a store in ${directory}: ${messageOf(error)}.`, error);
  }
}

async function fillDirectory(directory: string, sealer: Sealer, storeId: string): Promise<void> {
  const db = await openLevel(directory, true);
  try {
    const meta = sealMeta(sealer, { storeId, commit: 0, accounts: 0, first: 1, last: 0 });
    await db.put(metaKey, meta, { sync: true });
  } finally {
    await db.close();
  }
}
