import type { FactorBase, RecoveryHash } from '../factors/contract.ts';
import type { HashedSet } from '../factors/fields.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import type { RecoveryRecord } from '../factors/recovery.ts';
import { hashLegacyRecovery } from '../factors/recovery.ts';
import type { ScratchRecord } from '../factors/scratch.ts';
import { hashScratchCodes } from '../factors/scratch.ts';
import { saltLength } from '../factors/single-use.ts';
import { SallyportError } from '../lib/errors.ts';
import type { Randomness } from '../lib/randomness.ts';
import type { PortableFactor } from './import-export-types.ts';

/** What sets of single-use codes are hashed with. */
export interface SetSetting {
  readonly keyedHash: RecoveryHash;
  readonly randomness: Pick<Randomness, 'bytes'>;
}

type MovedSet = Extract<PortableFactor, { kind: 'scratch' | 'recovery' }>;

/** An account has one set of a kind at the most, so that one is this one or in its way. */
export function setOfKind({ kind }: MovedSet, kept: readonly FactorRecord[]): FactorRecord | undefined {
  return kept.find((factor) => factor.kind === kind);
}

/** A new set, hashed: the file may be deleted then. */
export function madeSet(
  moved: MovedSet,
  base: FactorBase,
  { keyedHash, randomness }: SetSetting,
): ScratchRecord | RecoveryRecord {
  const salt = randomness.bytes(saltLength);
  if (moved.kind === 'scratch')
    return { ...base, kind: 'scratch', ...hashScratchCodes([...new Set(moved.codes)], salt, keyedHash) };
  const { secret, hashes } = moved;
  return { ...base, kind: 'recovery', ...hashLegacyRecovery(secret, hashes, salt, keyedHash) };
}

/**
 * The set that is here, without what was used there since.
 *
 * MUST hold: what is used up here stays so, whatever the file still holds.
 *
 * @returns undefined: nothing changes
 * @throws SallyportError `set-exists`
 */
export function thinnedSet(
  moved: MovedSet,
  old: FactorRecord,
  { keyedHash }: SetSetting,
): FactorRecord | undefined {
  if (moved.kind === 'recovery') {
    if (old.kind !== 'recovery' || old.legacy?.secret.toLowerCase() !== moved.secret.toLowerCase())
      throw exists(old);
    return without(old, (_, index) => (moved.hashes[index] ?? null) === null);
  }
  if (old.kind !== 'scratch') throw exists(old);
  const left = new Set(hashesOf(moved.codes, old, keyedHash));
  const isSame = old.hashes.some((hash) => hash !== null && left.has(hash));
  if (isSame) return without(old, (hash) => !left.has(hash));
  // None is left of either, or these are the codes of another file.
  if (moved.codes.length > 0 && old.hashes.some((hash) => hash !== null)) throw exists(old);
  return undefined;
}

function hashesOf(codes: readonly string[], { keyId, salt }: HashedSet, keyedHash: RecoveryHash) {
  const bytes = Buffer.from(salt, 'base64');
  return codes.map((code) => keyedHash.of(keyId, bytes, code).toString('base64'));
}

function without<R extends ScratchRecord | RecoveryRecord>(
  old: R,
  isUsed: (hash: string, index: number) => boolean,
): R | undefined {
  const hashes = old.hashes.map((hash, index) => (hash === null || isUsed(hash, index) ? null : hash));
  return hashes.some((hash, index) => hash !== old.hashes[index]) ? { ...old, hashes } : undefined;
}

function exists({ name }: FactorRecord): SallyportError {
  return new SallyportError(
    'set-exists',
    `the account has another set, "${name}", and has one of a kind at the most; remove it first if this one is wanted`,
  );
}
