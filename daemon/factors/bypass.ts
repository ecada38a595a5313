import * as v from 'valibot';
import { limits } from '../limits.ts';
import { bypassGroups } from './answers/answer-format.ts';
import type { FactorKind, RecoveryHash } from './contract.ts';
import { base64, factorBase, type Infer, minuteOf, salted, time } from './fields.ts';
import { consumeFrom, hashedSet, saltLength } from './single-use.ts';

const schema = v.strictObject({
  ...factorBase,
  ...salted,
  kind: v.literal('bypass'),
  hash: base64,
  until: time,
});
/** A single-use code that an administrator issued, valid from `created`; an account has at most one. */
export type BypassRecord = Infer<typeof schema>;

/** In a request it is a path of its own, not `kind`, that says what is issued. */
export const bypassRequest = v.strictObject({
  kind: v.literal('bypass'),
  /** Validity in milliseconds. */
  forMs: v.exactOptional(
    v.pipe(
      v.number(),
      v.safeInteger(),
      v.minValue(limits.bypass.shortest),
      v.maxValue(limits.bypass.longest),
    ),
    limits.bypass.usual,
  ),
});

/**
 * A code that an administrator issues, for example by telephone: valid for one login, until it expires.
 *
 * Invariants:
 * - it is void after its end and before its beginning: a clock that was set back revives no code;
 * - it is removed once used: the commit that accepts it removes the record.
 */
export const bypass: FactorKind<BypassRecord, never, typeof bypassRequest, 'issuer'> = {
  kind: 'bypass',
  schema,
  words: { name: 'Bypass code', answer: 'bypass code' },
  satisfies: 'each',
  traits: { countsAsCode: true, liftsCodeLock: false, isIssued: true, isSingle: true, runsOut: true },
  usable: isOpen,
  answerFormats: () => [{ kind: 'bypass' }],
  restored: () => ({ note: 'bypass-void' }),
  enrolling: {
    request: bypassRequest,
    proof: 'issuer',
    make({ kind, forMs }, base, _kept, { now, keyedHash, randomness }) {
      const bypassCode = generateBypassCode((max) => randomness.int(max));
      const hashed = hashBypassCode(bypassCode, randomness.bytes(saltLength), keyedHash);
      return { record: { ...base, kind, ...hashed, until: now + forMs }, bypassCode };
    },
    unusable: (_terms, account, locked) =>
      locked === 'none'
        ? undefined
        : `typed codes of ${account} are locked, and this is one: sallyport user unlock ${account}`,
  },
  exported: () => 'a bypass code works only on this machine, and expires',
  details: ({ until }) => ({ detail: `one login, until ${minuteOf(until)}`, until }),
  afterLogin: () => 'That code is used up. Add a factor of your own now.',
  verify(record, format, { now, keyedHash }) {
    const { keyId, salt, hash } = record;
    const isRight =
      format.kind === 'bypass' &&
      isOpen(record, now) &&
      consumeFrom({ keyId, salt, hashes: [hash] }, format.text, keyedHash) !== undefined;
    if (!isRight) return { outcome: 'refused', reason: 'wrong' };
    return { outcome: 'accepted', record: { ...record, lastUsed: now }, gone: true };
  },
};

function isOpen({ created, until }: BypassRecord, now: number): boolean {
  return created <= now && now < until;
}

/**
 * A new code as it is read out, "123 456 789": nine digits, 30 bits, against the few attempts of
 * `lockout.max_code_failures`.
 * @param randomInt uniform in [0, max), from a secure source
 */
export function generateBypassCode(randomInt: (max: number) => number): string {
  const group = (size: number) => String(randomInt(10 ** size)).padStart(size, '0');
  return bypassGroups.map(group).join(' ');
}

/** The fields that a record keeps of it. */
export function hashBypassCode(
  code: string,
  salt: Buffer,
  keyedHash: RecoveryHash,
): Pick<BypassRecord, 'keyId' | 'salt' | 'hash'> {
  const { keyId, salt: kept, hashes } = hashedSet([code.replaceAll(' ', '')], salt, keyedHash);
  return { keyId, salt: kept, hash: hashes[0] ?? '' };
}
