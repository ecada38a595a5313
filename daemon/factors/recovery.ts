import { createHmac } from 'node:crypto';
import * as v from 'valibot';
import { pluralise } from '../lib/units.ts';
import { limits } from '../limits.ts';
import type { FactorBase } from './answer.ts';
import { recoveryAlphabet, recoveryGroups } from './answers/answer-format.ts';
import type {
  AnswerFormat,
  AnyRecord,
  EnrolTools,
  FactorContext,
  FactorKind,
  FactorVerdict,
  RecoveryHash,
} from './contract.ts';
import { factorBase, hashedSetFields, type Infer, portableBase, text } from './fields.ts';
import {
  consumeFrom,
  hashedSet,
  isSameSet,
  remainingIn,
  restoredSet,
  saltLength,
  setExists,
  without,
} from './single-use.ts';

export const recoveryKeyCount = 10;
/** Below this number the user is warned after each use. */
const fewKeys = 4;

const schema = v.strictObject({
  ...factorBase,
  ...hashedSetFields,
  kind: v.literal('recovery'),
  /** A set that was made elsewhere: the stored hashes are hashed again. */
  legacy: v.exactOptional(
    v.strictObject({
      scheme: v.literal('proxmox'),
      /** The key of their hash. */
      secret: v.pipe(text, v.regex(/^[0-9a-fA-F]{16}$/)),
    }),
  ),
});
/** One set of single-use recovery keys; an account has at most one. */
export type RecoveryRecord = Infer<typeof schema>;

/** A set of Proxmox VE's: its hashes, null for each used key. */
const portable = v.strictObject({
  ...portableBase,
  kind: v.literal('recovery'),
  /** The key of their hash. */
  secret: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/i)),
  hashes: v.pipe(
    v.array(v.nullable(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/i)))),
    v.maxLength(limits.movedCodes),
  ),
});

const request = v.strictObject({ kind: v.literal('recovery') });

/** Single-use keys, to print or to keep in a vault. Stored only as keyed hashes: they cannot be read back. */
export const recovery: FactorKind<RecoveryRecord, Infer<typeof portable>, typeof request, 'none'> = {
  kind: 'recovery',
  schema,
  words: { name: 'Recovery keys', answer: 'recovery key', set: 'recovery keys' },
  satisfies: 'each',
  traits: { countsAsCode: false, liftsCodeLock: true, isIssued: false, isSingle: true, runsOut: true },
  usable: (record) => remainingKeys(record) > 0,
  answerFormats: (record) => [{ kind: formatOfKeys(record) }],
  verify,
  isSame: isSameSet,
  restored: restoredSet,
  enrolling: {
    request,
    proof: 'none',
    make: (_request, base, _kept, tools) => newRecovery(base, tools),
  },
  importing: {
    schema: portable,
    same: ({ kind }, kept) => kept.kind === kind,
    take({ kind, secret, hashes }, base, _terms, { keyedHash, randomness }) {
      return {
        ...base,
        kind,
        ...hashLegacyRecovery(secret, hashes, randomness.bytes(saltLength), keyedHash),
      };
    },
    raise(moved, kept) {
      if (!isRecovery(kept) || kept.legacy?.secret.toLowerCase() !== moved.secret.toLowerCase())
        throw setExists(kept);
      return without(kept, (_, index) => (moved.hashes[index] ?? null) === null);
    },
  },
  exported: () => 'only hashes of recovery keys are kept; make a new set there',
  details(record) {
    const left = remainingKeys(record);
    const legacy = record.legacy === undefined ? '' : ', legacy';
    return { detail: `${left} of ${record.hashes.length} left${legacy}`, left };
  },
  afterLogin(record) {
    const left = remainingKeys(record);
    if (left >= fewKeys) return undefined;
    if (left === 0) return 'That was your last recovery key. Create a new set now.';
    return `${pluralise(left, 'recovery key is', 'recovery keys are')} left. Create a new set soon.`;
  },
  auditedRemaining: remainingKeys,
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

/** The fields that a record keeps of new keys. */
export function hashRecoveryKeys(
  keys: readonly string[],
  salt: Buffer,
  keyedHash: RecoveryHash,
): Pick<RecoveryRecord, 'keyId' | 'salt' | 'hashes'> {
  return hashedSet(
    keys.map((key) => key.replaceAll('-', '')),
    salt,
    keyedHash,
  );
}

/**
 * The fields that a record keeps of a set that Proxmox VE, Backup Server or Mail Gateway made. Its hashes are
 * hashed again under our key: an attacker who reads only the record cannot test guesses.
 * @param secret of the set, as its file writes it: 16 hex digits
 * @param entries of the set: 64 hex digits each; null: used
 */
export function hashLegacyRecovery(
  secret: string,
  entries: readonly (string | null)[],
  salt: Buffer,
  keyedHash: RecoveryHash,
): Pick<RecoveryRecord, 'keyId' | 'salt' | 'hashes' | 'legacy'> {
  const digests = entries.map((entry) => entry?.toLowerCase() ?? null);
  return { ...hashedSet(digests, salt, keyedHash), legacy: { scheme: 'proxmox', secret } };
}

export function newRecovery(
  base: FactorBase,
  { keyedHash, randomness }: Pick<EnrolTools, 'keyedHash' | 'randomness'>,
): { readonly record: RecoveryRecord; readonly recoveryKeys: readonly string[] } {
  const recoveryKeys = generateRecoveryKeys((max) => randomness.int(max));
  const hashes = hashRecoveryKeys(recoveryKeys, randomness.bytes(saltLength), keyedHash);
  return { record: { ...base, kind: 'recovery', ...hashes }, recoveryKeys };
}

function isRecovery(record: AnyRecord): record is RecoveryRecord {
  return record.kind === 'recovery';
}

export function remainingKeys(record: RecoveryRecord): number {
  return remainingIn(record);
}

/** The format of the keys of this set. */
export function formatOfKeys({ legacy }: RecoveryRecord): 'recovery' | 'legacy-recovery' {
  return legacy === undefined ? 'recovery' : 'legacy-recovery';
}

function verify(
  record: RecoveryRecord,
  format: AnswerFormat,
  context: FactorContext,
): FactorVerdict<RecoveryRecord> {
  if (format.kind !== formatOfKeys(record) || !('text' in format))
    return { outcome: 'refused', reason: 'wrong' };
  const hashes = consumeFrom(record, hashedText(record, format.text), context.keyedHash);
  if (hashes === undefined) return { outcome: 'refused', reason: 'wrong' };
  return { outcome: 'accepted', record: { ...record, hashes, lastUsed: context.now } };
}

/** proxmox-tfa, api/recovery.rs: HMAC-SHA256 of the key with its dashes; its key is the hex text of the secret. */
function hashedText({ legacy }: RecoveryRecord, text: string): string {
  if (legacy === undefined) return text;
  return createHmac('sha256', legacy.secret).update(text).digest('hex');
}
