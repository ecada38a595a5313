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

/** How far the store is sealed with the present master key. */
export type RotationState =
  /** There is one key alone. */
  | { readonly kind: 'none' }
  | { readonly kind: 'running'; readonly read: number; readonly total: number }
  /** Nothing is sealed with an older one any more. */
  | { readonly kind: 'done' }
  /** It is tried again at the next start, and when it is asked for. */
  | { readonly kind: 'failed'; readonly why: string };

export interface Rotation {
  state(): RotationState;
  /** Begins, or begins again; what is sealed with the present key already is left alone. */
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
  /** What else is sealed, beside the store. @throws Error: it is not */
  readonly resealOthers: () => void;
  readonly log: Log;
}

/**
 * Seals everything with the present master key, while everything else goes on.
 *
 * Invariants:
 * - it can be killed at any moment: each entry is sealed with a key that the key file holds, and a new start goes
 *   over all of it again;
 * - recovery keys that were hashed under an older key stay usable: its hash key is kept, sealed, before anything
 *   else is done;
 * - "done" is said only after one pass that found nothing else and failed nowhere, with the anchor and the last
 *   good configuration sealed anew.
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
        // Of the keys that it began with: there may be another one by now.
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
      `${damaged} entries are damaged and could not be sealed anew; see: sallyport store check`,
    );
}

/** One that is damaged holds up none of the others. @returns how many */
async function resealed(store: RotationParts['store'], entries: readonly Entry[]): Promise<number> {
  try {
    await store.reseal(entries);
    return 0;
  } catch (error) {
    // A flipped bit can lie in the key id or in the schema, too.
    if (!['record-damaged', 'store-key', 'store-schema'].includes(codeOf(error))) throw error;
    if (entries.length === 1) return 1;
    const middle = Math.ceil(entries.length / 2);
    return (await resealed(store, entries.slice(0, middle))) + (await resealed(store, entries.slice(middle)));
  }
}
