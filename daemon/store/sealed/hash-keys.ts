import type { Keyring } from '../../sealing/keyring.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { Db } from './db.ts';
import { hashKeyKey, hashKeyRange, nameOf } from './record-keys.ts';

/**
 * Recovery keys are hashed under a key derived from the master key in use at the time. After that master key is
 * removed, only its hash key stays, sealed under the current one: it decrypts no record, and the sets stay usable
 * until they are renewed.
 */
export interface HashKey {
  /** Id of the master key that it was derived from. */
  readonly keyId: string;
  readonly bytes: Buffer;
}

/** The hash keys that can be opened. */
export async function readHashKeys(db: Db, sealer: Sealer): Promise<readonly HashKey[]> {
  const entries = await db.iterator(hashKeyRange).all();
  return entries.flatMap(([key, value]): HashKey[] => {
    try {
      return [{ keyId: nameOf(key).toString(), bytes: sealer.open('hash-key', key, value).plaintext }];
    } catch {
      // Verification refuses the sets that need it, and reports why.
      return [];
    }
  });
}

export async function loadHashKeys(db: Db, sealer: Sealer, keyring: Keyring): Promise<void> {
  for (const { keyId, bytes } of await readHashKeys(db, sealer)) keyring.addRecoveryKey(keyId, bytes);
}

/** Sealed with the current master key. */
export function sealedHashKey(
  sealer: Sealer,
  { keyId, bytes }: HashKey,
  version: number,
): { readonly key: Buffer; readonly value: Buffer } {
  const key = hashKeyKey(keyId);
  return { key, value: sealer.seal('hash-key', key, version, bytes) };
}
