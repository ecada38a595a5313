import { timingSafeEqual } from 'node:crypto';
import { SallyportError } from '../lib/errors.ts';
import type { AnyRecord, RecoveryHash, Restoring } from './contract.ts';
import type { HashedSet } from './fields.ts';

/** Bytes of a set's salt. */
export const saltLength = 16;

/** The fields that a record keeps of single-use answers, which cannot be read back. null: a used one. */
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
 * - An accepted answer MUST leave the record: its hash is removed, so it can never match again, and a used answer
 *   cannot be distinguished from one that never existed.
 * - Every position is compared, the empty ones too: the time reveals neither which one matches nor how many are
 *   left.
 *
 * @returns the remaining hashes; undefined if none matches
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

type CodeSet = AnyRecord & HashedSet;

/** A set is also identified by its salt. */
export function isSameSet(a: CodeSet, b: CodeSet): boolean {
  return a.salt === b.salt;
}

/** A key that was used in either copy is used; if the newest copy is unknown, all are. */
export function restoredSet<R extends CodeSet>(
  record: R,
  { same, isNewest }: Restoring<R>,
): { readonly record: R; readonly note?: 'recovery-void' } {
  const known = isNewest ? same?.hashes : undefined;
  const hashes = record.hashes.map((hash, index) => (hash !== null && known?.[index] === hash ? hash : null));
  const restored = { ...record, hashes };
  return remainingIn(restored) > 0 ? { record: restored } : { record: restored, note: 'recovery-void' };
}

/** The existing set, without what was used elsewhere. @returns undefined if nothing changes */
export function without<R extends CodeSet>(
  old: R,
  isUsed: (hash: string, index: number) => boolean,
): R | undefined {
  const hashes = old.hashes.map((hash, index) => (hash === null || isUsed(hash, index) ? null : hash));
  return hashes.some((hash, index) => hash !== old.hashes[index]) ? { ...old, hashes } : undefined;
}

export function setExists({ name }: AnyRecord): SallyportError {
  return new SallyportError(
    'set-exists',
    `the account has another set, "${name}", and has one of a kind at the most; remove it first if this one is wanted`,
  );
}
