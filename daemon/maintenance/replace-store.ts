import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Addon } from '../host/addon.ts';
import { syncDirectory } from '../lib/durable.ts';
import { messageOf, SallyportError } from '../lib/errors.ts';
import { systemCode } from '../sealing/error.ts';
import type { Keyring } from '../sealing/keyring.ts';
import { Anchor, type AnchorState, nextAnchor, readAnchor } from '../store/leveldb/anchor.ts';

/** Where a new store is made: beside the one in use, on the same file system. */
export function workDirectory(store: string): string {
  const prefix = `${basename(store)}.making-`;
  // What a run before this one left when it was killed: it never was a store.
  for (const name of readdirSync(dirname(store)))
    if (name.startsWith(prefix)) rmSync(join(dirname(store), name), { recursive: true, force: true });
  return join(dirname(store), `${prefix}${randomBytes(4).toString('hex')}`);
}

/** The stores that others took the place of. */
export function replacedStores(store: string): readonly string[] {
  const prefix = `${basename(store)}.before-`;
  const names = readdirSync(dirname(store)).filter((name) => name.startsWith(prefix));
  return names.sort().map((name) => join(dirname(store), name));
}

/** Undefined: no daemon starts with it. */
export function usableAnchor(path: string, keyring: Keyring): AnchorState | undefined {
  try {
    return readAnchor(path, keyring);
  } catch {
    return undefined;
  }
}

export interface StoreReplacement {
  readonly store: string;
  readonly anchor: string;
  readonly keyring: Keyring;
  readonly exchange: Addon['exchange'];
  /** Of the anchor that is there; undefined: it cannot be read, and no daemon starts with it. */
  readonly oldAnchor: AnchorState | undefined;
  readonly fresh: { readonly directory: string; readonly storeId: string; readonly commit: number };
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * Puts a new store, whole and on disk, in the place of the old one.
 *
 * Invariants:
 * - whenever it is killed, the daemon starts with the old store or with the new one, as it did before. Their
 *   anchor says first that the old one is in use: then the new one, with a higher number, is valid under it too;
 * - the old store is kept.
 *
 * @returns where the old one lies; undefined: there was none
 */
export function replaceStore({
  store,
  anchor,
  keyring,
  exchange,
  oldAnchor,
  fresh,
  now,
}: StoreReplacement): string | undefined {
  const aside = `${store}.before-${new Date(now).toISOString().replaceAll(/[:.]/g, '')}`;
  let next: ReturnType<typeof nextAnchor> | undefined;
  try {
    // First, since it needs disk space: the steps after it only change names.
    next = nextAnchor(anchor, keyring, fresh.storeId, fresh.commit);
    if (oldAnchor !== undefined) new Anchor(anchor, keyring, oldAnchor).close();
    let kept: string | undefined;
    if (existsSync(store)) {
      renameSync(fresh.directory, aside);
      syncDirectory(dirname(store));
      change(exchange, store, aside);
      kept = aside;
    } else renameSync(fresh.directory, store);
    syncDirectory(dirname(store));
    next.use();
    return kept;
  } catch (error) {
    next?.drop();
    throw new SallyportError(
      'store-unwritable',
      `the new store could not be put in place: ${messageOf(error)}. Start this again once it can be written.`,
      { cause: error },
    );
  }
}

/** Some network file systems cannot exchange names: there are two steps then, and a crash between needs this run again. */
function change(exchange: Addon['exchange'], store: string, aside: string): void {
  try {
    exchange(store, aside);
  } catch (error) {
    if (!['EINVAL', 'ENOSYS', 'ENOTSUP'].includes(systemCode(error) ?? '')) throw error;
    const between = `${aside}-new`;
    renameSync(aside, between);
    renameSync(store, aside);
    renameSync(between, store);
  }
}
