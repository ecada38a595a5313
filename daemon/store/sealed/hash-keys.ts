import type { Keyring } from '../../sealing/keyring.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { Db } from './db.ts';
import { hashKeyKey, hashKeyRange, nameOf } from './record-keys.ts';

/**
 * Recovery keys are hashed under a key that is derived from the master key of their time. When that one is gone,
 * its hash key alone stays, sealed under the present one: it opens no record, and the sets stay usable until
 * they are renewed.
 */
export interface HashKey {
  /** Of the master key that it was derived from. */
  readonly keyId: string;
  readonly bytes: Buffer;
}

/** Those that can be opened. */
export async function readHashKeys(db: Db, sealer: Sealer): Promise<readonly HashKey[]> {
  const entries = await db.iterator(hashKeyRange).all();
  return entries.flatMap(([key, value]): HashKey[] => {
    try {
      return [{ keyId: nameOf(key).toString(), bytes: sealer.open('hash-key', key, value).plaintext }];
    } catch {
      // The sets that need it are refused, and say so.
      return [];
    }
  });
}

export async function loadHashKeys(db: Db, sealer: Sealer, keyring: Keyring): Promise<void> {
  for (const { keyId, bytes } of await readHashKeys(db, sealer)) keyring.addRecoveryKey(keyId, bytes);
}

/** As the present master key seals it. */
export function sealedHashKey(
  sealer: Sealer,
  { keyId, bytes }: HashKey,
  version: number,
): { readonly key: Buffer; readonly value: Buffer } {
  const key = hashKeyKey(keyId);
  return { key, value: sealer.seal('hash-key', key, version, bytes) };
}
