import { timingSafeEqual } from 'node:crypto';
import type { Factor, FactorContext, FactorVerdict, RecoveryHash, RecoveryRecord } from './contract.ts';
import { recoveryAlphabet, recoveryGroups, type Shape } from './shape.ts';

export const recoveryKeyCount = 10;
/** Bytes of a set's salt. */
export const recoverySaltLength = 16;

/** Single-use keys, to print or to keep in a vault. Kept only as keyed hashes: nobody can read them back. */
export const recovery: Factor<RecoveryRecord> = {
  kind: 'recovery',
  countsAsCode: false,
  usable: (record) => keysLeft(record) > 0,
  takes: (_record, shape) => shape.kind === 'recovery',
  verify,
};

/**
 * Ten keys in the form that is shown: "xxxxx-xxxxx-xxxxx-xxxxx", 99 bits each.
 * @param randomInt uniform in [0, max), from a secure source
 */
export function generateRecoveryKeys(randomInt: (max: number) => number): readonly string[] {
  const symbol = () => recoveryAlphabet.charAt(randomInt(recoveryAlphabet.length));
  const group = (size: number) => Array.from({ length: size }, symbol).join('');
  return Array.from({ length: recoveryKeyCount }, () => recoveryGroups.map(group).join('-'));
}

/** What a record keeps of new keys. */
export function hashRecoveryKeys(
  keys: readonly string[],
  salt: Buffer,
  keyedHash: RecoveryHash,
): Pick<RecoveryRecord, 'keyId' | 'salt' | 'hashes'> {
  const { keyId } = keyedHash;
  const hashes = keys.map((key) => keyedHash.of(keyId, salt, key.replaceAll('-', '')).toString('base64'));
  return { keyId, salt: salt.toString('base64'), hashes };
}

export function keysLeft(record: RecoveryRecord): number {
  return record.hashes.filter((hash) => hash !== null).length;
}

/*
 * - An accepted key MUST leave the record: its hash is gone, so it can never fit again, and a used key
 *   cannot be told from one that never was.
 * - Every place is compared, the empty ones too: the time taken tells neither which key fits nor how many
 *   are left.
 */
function verify(record: RecoveryRecord, shape: Shape, context: FactorContext): FactorVerdict<RecoveryRecord> {
  if (shape.kind !== 'recovery') return { outcome: 'refused', reason: 'wrong' };
  const given = context.keyedHash.of(record.keyId, Buffer.from(record.salt, 'base64'), shape.text);
  const nothing = Buffer.alloc(given.length);
  let fits = -1;
  for (const [index, hash] of record.hashes.entries()) {
    const kept = hash === null ? nothing : Buffer.from(hash, 'base64');
    const same = kept.length === given.length && timingSafeEqual(kept, given);
    if (same && hash !== null) fits = index;
  }
  if (fits < 0) return { outcome: 'refused', reason: 'wrong' };
  const hashes = record.hashes.map((hash, index) => (index === fits ? null : hash));
  return { outcome: 'accepted', record: { ...record, hashes, lastUsed: context.now } };
}
