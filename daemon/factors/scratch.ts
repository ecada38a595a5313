import * as v from 'valibot';
import { unreachable } from '../lib/errors.ts';
import { pluralise } from '../lib/units.ts';
import { limits } from '../limits.ts';
import type { AnswerFormat, AnyRecord, FactorKind, RecoveryHash } from './contract.ts';
import { factorBase, hashedSetFields, type Infer, portableBase } from './fields.ts';
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

/** As google-authenticator(1) makes them. */
const digits = 8;

const schema = v.strictObject({
  ...factorBase,
  ...hashedSetFields,
  kind: v.literal('scratch'),
  digits: v.literal(digits),
});
/** Scratch codes of google-authenticator, imported; an account has at most one set. */
export type ScratchRecord = Infer<typeof schema>;

/** In plain text, as google-authenticator keeps them: the unused codes of the set. */
const portable = v.strictObject({
  ...portableBase,
  kind: v.literal('scratch'),
  codes: v.pipe(v.array(v.pipe(v.string(), v.check(isScratchCode))), v.maxLength(limits.movedCodes)),
});

/**
 * Scratch codes of google-authenticator, which were stored in plain text. They are only imported, and count as
 * typed codes like those of the secret that they belong to: 27 bits are too few to unlock typed codes.
 */
export const scratch: FactorKind<ScratchRecord, Infer<typeof portable>> = {
  kind: 'scratch',
  schema,
  words: { name: 'Scratch codes', answer: 'scratch code', set: 'scratch codes' },
  // Made for a TOTP or HOTP secret, as a substitute only for it.
  satisfies: 'totp',
  traits: { countsAsCode: true, liftsCodeLock: false, isIssued: false, isSingle: false, runsOut: true },
  usable: (record) => remainingIn(record) > 0,
  answerFormats: (record) => [{ kind: 'code', digits: record.digits }],
  isSame: isSameSet,
  restored: restoredSet,
  importing: {
    schema: portable,
    same: ({ kind }, kept) => kept.kind === kind,
    comesWith: ({ kind }) => kind === 'totp' || kind === 'hotp',
    take({ kind, codes }, base, _terms, { keyedHash, randomness }) {
      return {
        ...base,
        kind,
        ...hashScratchCodes([...new Set(codes)], randomness.bytes(saltLength), keyedHash),
      };
    },
    raise({ codes }, kept, { keyedHash }) {
      if (!isScratch(kept)) throw setExists(kept);
      const salt = Buffer.from(kept.salt, 'base64');
      const left = new Set(codes.map((code) => keyedHash.of(kept.keyId, salt, code).toString('base64')));
      const isSame = kept.hashes.some((hash) => hash !== null && left.has(hash));
      if (isSame) return without(kept, (hash) => !left.has(hash));
      // Both are used up, or these are the codes of another file.
      if (codes.length > 0 && remainingIn(kept) > 0) throw setExists(kept);
      return undefined;
    },
  },
  exported: () => 'only hashes of scratch codes are kept; make recovery keys there',
  details(record) {
    const left = remainingCodes(record);
    const of = record.hashes.length;
    return { detail: `${left} of ${of} left, legacy: create recovery keys, then remove this`, left };
  },
  /** They were stored in plain text: a user of them should replace them. */
  afterLogin(record) {
    const left = remainingCodes(record);
    const advice = 'Create recovery keys instead: sallyport factor add recovery';
    if (left === 0) return `That was your last scratch code. ${advice}`;
    return `${pluralise(left, 'scratch code is', 'scratch codes are')} left. ${advice}`;
  },
  verify(record, format, context) {
    const hashes =
      format.kind === 'code' && format.text.length === record.digits
        ? consumeFrom(record, format.text, context.keyedHash)
        : undefined;
    if (hashes === undefined) return { outcome: 'refused', reason: 'wrong' };
    return { outcome: 'accepted', record: { ...record, hashes, lastUsed: context.now } };
  },
};

function isScratch(record: AnyRecord): record is ScratchRecord {
  return record.kind === 'scratch';
}

/** Whether google-authenticator could have made it. */
export function isScratchCode(text: string): boolean {
  return /^[1-9][0-9]{7}$/.test(text);
}

/** The fields that a record keeps of the codes of a file. */
export function hashScratchCodes(
  codes: readonly string[],
  salt: Buffer,
  keyedHash: RecoveryHash,
): Pick<ScratchRecord, 'keyId' | 'salt' | 'hashes' | 'digits'> {
  return { ...hashedSet(codes, salt, keyedHash), digits };
}

export function remainingCodes(record: ScratchRecord): number {
  return remainingIn(record);
}

/**
 * Whether an answer was one of a set, or the only one, so that no next one comes.
 * @param factors of the account, also those that are used up
 */
export function isSingleUse(format: AnswerFormat, factors: readonly { readonly kind: string }[]): boolean {
  switch (format.kind) {
    case 'recovery':
    case 'legacy-recovery':
    case 'bypass':
      return true;
    case 'code':
      return factors.some(({ kind }) => kind === 'scratch') && isScratchCode(format.text);
    case 'yubikey':
    case 'assertion':
    case 'enter':
    case 'none':
      return false;
    default:
      return unreachable(format);
  }
}
