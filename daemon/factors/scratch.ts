import * as v from 'valibot';
import { pluralise } from '../lib/count-of.ts';
import type { FactorKind, RecoveryHash } from './contract.ts';
import { factorBase, hashedSetFields, type Infer } from './fields.ts';
import { consumeFrom, hashedSet, remainingIn } from './single-use.ts';

/** As google-authenticator(1) makes them. */
const digits = 8;

const schema = v.strictObject({
  ...factorBase,
  ...hashedSetFields,
  kind: v.literal('scratch'),
  digits: v.literal(digits),
});
/** Scratch codes of google-authenticator, imported; an account has one set at the most. */
export type ScratchRecord = Infer<typeof schema>;

/**
 * Scratch codes of google-authenticator, which lay in a file in plain text. They come by import alone, and are
 * typed codes like those that they stood beside: 27 bits are too few for what would open a lock on typed codes.
 */
export const scratch: FactorKind<ScratchRecord> = {
  kind: 'scratch',
  schema,
  words: { name: 'Scratch codes', answer: 'scratch code', set: 'scratch codes' },
  // Made beside a TOTP or HOTP secret, to stand in for it alone.
  meets: 'totp',
  traits: { countsAsCode: true, liftsCodeLock: false, isIssued: false, runsOut: true },
  usable: (record) => remainingIn(record) > 0,
  answerFormats: (record) => [{ kind: 'code', digits: record.digits }],
  details(record) {
    const left = remainingCodes(record);
    const of = record.hashes.length;
    return { detail: `${left} of ${of} left, legacy: make recovery keys, then remove this`, left };
  },
  /** They lay in a file in plain text: who uses one is to replace them. */
  afterLogin(record) {
    const left = remainingCodes(record);
    const advice = 'Make recovery keys instead: sallyport factor add recovery';
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

/** Whether it is one that google-authenticator could have made. */
export function isScratchCode(text: string): boolean {
  return /^[1-9][0-9]{7}$/.test(text);
}

/** What a record keeps of the codes of a file. */
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
