import { bypassGroups } from './answer-format.ts';
import type { BypassRecord, Factor, RecoveryHash } from './contract.ts';
import { consumeFrom, hashedSet, remainingIn } from './single-use.ts';

/**
 * One code that an admin reads to somebody on the phone: good for one login, until a moment.
 *
 * MUST hold:
 * - it is void at its end and before its beginning: a clock that was set back brings none back to life;
 * - once used its hash is gone, and the verifier takes the record out in the same commit.
 */
export const bypass: Factor<BypassRecord> = {
  kind: 'bypass',
  countsAsCode: true,
  usable: isOpen,
  takes: (_record, shape) => shape.kind === 'bypass',
  verify(record, shape, context) {
    if (shape.kind !== 'bypass' || !isOpen(record, context.now))
      return { outcome: 'refused', reason: 'wrong' };
    const [hash] = consumeFrom(setOf(record), shape.text, context.keyedHash) ?? [];
    if (hash === undefined) return { outcome: 'refused', reason: 'wrong' };
    return { outcome: 'accepted', record: { ...record, hash, lastUsed: context.now } };
  },
};

function isOpen(record: BypassRecord, now: number): boolean {
  return remainingIn(setOf(record)) > 0 && record.created <= now && now < record.until;
}

function setOf({ keyId, salt, hash }: BypassRecord) {
  return { keyId, salt, hashes: [hash] };
}

/**
 * A new code as it is read out, "123 456 789": nine digits, 30 bits, against the few tries of `lockout.codes`.
 * @param randomInt uniform in [0, max), from a secure source
 */
export function generateBypassCode(randomInt: (max: number) => number): string {
  const group = (size: number) => String(randomInt(10 ** size)).padStart(size, '0');
  return bypassGroups.map(group).join(' ');
}

/** What a record keeps of it. */
export function hashBypassCode(
  code: string,
  salt: Buffer,
  keyedHash: RecoveryHash,
): Pick<BypassRecord, 'keyId' | 'salt' | 'hash'> {
  const { keyId, salt: kept, hashes } = hashedSet([code.replaceAll(' ', '')], salt, keyedHash);
  return { keyId, salt: kept, hash: hashes[0] ?? null };
}
