import { timingSafeEqual } from 'node:crypto';
import type { RecoveryHash } from './contract.ts';
import type { HashedSet } from './fields.ts';

/** Bytes of a set's salt. */
export const saltLength = 16;

/** What a record keeps of single-use answers: nobody can read them back. null: a place that is used up. */
export function hashedSet(
  texts: readonly (string | null)[],
  salt: Buffer,
  keyedHash: RecoveryHash,
): HashedSet {
  const { keyId } = keyedHash;
  const hashes = texts.map((text) =>
    text === null ? null : keyedHash.of(keyId, salt, text).toString('base64'),
  );
  return { keyId, salt: salt.toString('base64'), hashes };
}

export function remainingIn({ hashes }: Pick<HashedSet, 'hashes'>): number {
  return hashes.filter((hash) => hash !== null).length;
}

/**
 * - What is accepted MUST leave the record: its hash is gone, so it can never fit again, and a used answer
 *   cannot be told from one that never was.
 * - Every place is compared, the empty ones too: the time taken tells neither which fits nor how many are left.
 *
 * @returns the hashes that are left; undefined: it fits none
 */
export function consumeFrom(
  set: HashedSet,
  text: string,
  keyedHash: RecoveryHash,
): HashedSet['hashes'] | undefined {
  const given = keyedHash.of(set.keyId, Buffer.from(set.salt, 'base64'), text);
  const nothing = Buffer.alloc(given.length);
  let fits = -1;
  for (const [index, hash] of set.hashes.entries()) {
    const kept = hash === null ? nothing : Buffer.from(hash, 'base64');
    const same = kept.length === given.length && timingSafeEqual(kept, given);
    if (same && hash !== null) fits = index;
  }
  return fits < 0 ? undefined : set.hashes.map((hash, index) => (index === fits ? null : hash));
}
