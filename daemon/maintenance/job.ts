import { rmSync } from 'node:fs';
import type { Writable } from 'node:stream';
import type { Addon } from '../host/addon.ts';
import { codeOf, messageOf } from '../lib/errors.ts';
import { isStoreError } from '../sealing/error.ts';
import type { Keyring } from '../sealing/keyring.ts';
import { lockStore, type StoreLock } from '../store/leveldb/lock.ts';
import type { HashKey } from '../store/sealed/hash-keys.ts';
import { daemonRunningError } from './administration.ts';
import type { OfflineContext } from './offline-context.ts';
import { workDirectory } from './replace-store.ts';

/** Reports progress to the caller, one JSON object per line. */
export interface Job {
  tell(what: object): void;
  progress(accounts: number): void;
}

/** Every so many accounts. */
const progressEvery = 1_000;

/** @returns whether it succeeded; a failure is reported */
export async function working(output: Writable, run: (work: Job) => Promise<void>): Promise<boolean> {
  let reported = 0;
  const tell = (what: object): void => void output.write(`${JSON.stringify(what)}\n`);
  const progress = (accounts: number): void => {
    if (accounts - reported < progressEvery) return;
    reported = accounts;
    tell({ progress: accounts });
  };
  try {
    await run({ tell, progress });
    return true;
  } catch (error) {
    tell({ error: { code: codeOf(error), message: messageOf(error) } });
    return false;
  }
}

/**
 * With the store to itself, and a directory that is gone afterwards. MUST hold: no daemon runs beside it.
 * @throws SallyportError store-locked
 */
export async function withStore(
  { paths }: OfflineContext,
  addon: Addon,
  run: (directory: string) => Promise<void>,
): Promise<void> {
  const lock = take(paths.store, addon);
  let directory: string | undefined;
  try {
    directory = workDirectory(paths.store);
    await run(directory);
  } finally {
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
    lock.release();
  }
}

function take(store: string, addon: Addon): StoreLock {
  try {
    return lockStore(store, addon);
  } catch (error) {
    throw isStoreError(error, 'store-locked') ? daemonRunningError() : error;
  }
}

/** The widest window in the configuration: an account may have come to another realm since. */
export function widestSkew({ configuration }: OfflineContext): number {
  return Math.max(...configuration.current().realms.map(({ totp }) => totp.skew));
}

/** What recovery sets may have been hashed with. */
export function keysInUse(keyring: Keyring): readonly HashKey[] {
  return keyring.ids.flatMap((keyId) => {
    const bytes = keyring.recoveryKey(keyId)?.export();
    return bytes === undefined ? [] : [{ keyId, bytes }];
  });
}
