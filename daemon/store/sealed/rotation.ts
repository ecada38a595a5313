import { setTimeout as pause } from 'node:timers/promises';
import { codeOf, messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { limits } from '../../limits.ts';
import type { Keyring } from '../../sealing/keyring.ts';
import { claimedKey } from '../../sealing/seal.ts';
import type { Entry } from './change.ts';
import type { HashKey } from './hash-keys.ts';
import { purposeOf } from './record-keys.ts';
import type { StoreSnapshot } from './snapshot.ts';

/** Progress of resealing the store with the current master key. */
export type RotationState =
  /** Only one key exists. */
  | { readonly kind: 'none' }
  | { readonly kind: 'running'; readonly read: number; readonly total: number }
  /** Nothing is sealed with an older key. */
  | { readonly kind: 'done' }
  /** Retried at the next start, and on request. */
  | { readonly kind: 'failed'; readonly why: string };

export interface Rotation {
  state(): RotationState;
  /** Starts or restarts; entries sealed with the current key are not changed. */
  start(): void;
  stop(): Promise<void>;
}

export interface RotationParts {
  readonly store: {
    snapshot(): Promise<StoreSnapshot>;
    reseal(entries: readonly Entry[], hashKeys?: readonly HashKey[]): Promise<void>;
    resealAnchor(): Promise<void>;
  };
  readonly keyring: Keyring;
  /** Reseals what is sealed outside the store. @throws Error if that fails */
  readonly resealOthers: () => void;
  readonly log: Log;
}

/**
 * Reseals everything with the current master key, while all other operations continue.
 *
 * Invariants:
 * - it can be killed at any moment: each entry is sealed with a key that the key file holds, and a new start
 *   processes all entries again;
 * - recovery keys that were hashed under an older key stay usable: its hash key is sealed and kept before anything
 *   else is done;
 * - "done" is reported only after a pass that found nothing else and had no failure, with the anchor and the last
 *   good configuration resealed.
 */
export function createRotation(parts: RotationParts): Rotation {
  const { keyring, log } = parts;
  const stopped = new AbortController();
  let state: RotationState = { kind: 'none' };
  let running: Promise<void> | undefined;
  let wanted = false;

  const run = async (): Promise<void> => {
    while (wanted && !stopped.signal.aborted) {
      wanted = false;
      state = { kind: 'running', read: 0, total: 0 };
      try {
        await pass(parts, stopped.signal, (read, total) => {
          state = { kind: 'running', read, total };
        });
        // The pass covered the keys that existed when it began; another one may have been added since.
        if (wanted) continue;
        state = { kind: 'done' };
        log.info('keys-rotated', { key: keyring.current });
      } catch (error) {
        if (stopped.signal.aborted) return;
        state = { kind: 'failed', why: messageOf(error) };
        log.error('keys-not-rotated', { code: codeOf(error), message: messageOf(error) });
      }
    }
  };

  return {
    state: () => state,
    start() {
      if (keyring.ids.length < 2) {
        state = { kind: 'none' };
        return;
      }
      wanted = true;
      state = { kind: 'running', read: 0, total: 0 };
      running ??= run().finally(() => {
        running = undefined;
      });
    },
    async stop() {
      stopped.abort();
      await running;
    },
  };
}

async function pass(
  { store, keyring, resealOthers }: RotationParts,
  signal: AbortSignal,
  show: (read: number, total: number) => void,
): Promise<void> {
  const { current } = keyring;
  const older = keyring.ids.filter((id) => id !== current);
  const hashKeys = older.flatMap((keyId): HashKey[] => {
    const bytes = keyring.recoveryKey(keyId)?.export();
    return bytes === undefined ? [] : [{ keyId, bytes }];
  });
  await store.reseal([], hashKeys);
  const snapshot = await store.snapshot();
  const { accounts, first, last } = snapshot.meta;
  const total = 2 * accounts + Math.max(0, last - first + 1);
  let read = 0;
  let damaged = 0;
  try {
    for await (const page of snapshot.entries) {
      read += page.length;
      show(read, Math.max(read, total));
      const old = page.filter(
        ([key, value]) => purposeOf(key) !== undefined && claimedKey(value) !== current,
      );
      for (let at = 0; at < old.length; at += limits.resealBatch) {
        signal.throwIfAborted();
        damaged += await resealed(store, old.slice(at, at + limits.resealBatch));
        await pause(limits.resealPause, undefined, { signal, ref: false });
      }
    }
  } finally {
    await snapshot.close();
  }
  await store.resealAnchor();
  resealOthers();
  if (damaged > 0)
    throw new Error(
      `${damaged} entries are damaged and could not be encrypted again; see: sallyport store check`,
    );
}

/** A damaged entry does not prevent resealing the others. @returns number of damaged entries */
async function resealed(store: RotationParts['store'], entries: readonly Entry[]): Promise<number> {
  try {
    await store.reseal(entries);
    return 0;
  } catch (error) {
    // A flipped bit can be in the key id or in the schema, too.
    if (!['record-damaged', 'store-key', 'store-schema'].includes(codeOf(error))) throw error;
    if (entries.length === 1) return 1;
    const middle = Math.ceil(entries.length / 2);
    return (await resealed(store, entries.slice(0, middle))) + (await resealed(store, entries.slice(middle)));
  }
}
