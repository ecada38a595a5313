import type { Factor, RecoveryHash, ScratchRecord } from './contract.ts';
import { consumeFrom, hashedSet, remainingIn } from './single-use.ts';

/** As google-authenticator(1) makes them. */
const digits = 8;

/**
 * Scratch codes of google-authenticator, which lay in a file in plain text. They come by import alone, and are
 * typed codes like those that they stood beside: 27 bits are too few for what would open a lock on typed codes.
 */
export const scratch: Factor<ScratchRecord> = {
  kind: 'scratch',
  countsAsCode: true,
  usable: (record) => remainingIn(record) > 0,
  takes: (record, shape) => shape.kind === 'code' && shape.text.length === record.digits,
  verify(record, shape, context) {
    const hashes =
      shape.kind === 'code' && shape.text.length === record.digits
        ? consumeFrom(record, shape.text, context.keyedHash)
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
