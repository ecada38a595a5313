import * as v from 'valibot';
import { SallyportError } from '../lib/errors.ts';
import type { AnswerFormat, AnyRecord, FactorContext, FactorKind, FactorVerdict } from './contract.ts';
import {
  algorithmNames,
  count,
  factorBase,
  type Infer,
  otpFields,
  portableBase,
  portableOtp,
  requestSecret,
  resyncRequired,
  resyncText,
  typedCodeTraits,
} from './fields.ts';
import { codeAt, sameCode } from './otp.ts';
import { checkSeed, hasSecret, newSecret, noCurrentCode, otherSettings } from './seed.ts';

/** Lost presses: the expected code and this many after it are accepted (RFC 4226, 7.2: s). */
const lookAhead = 10;
/** How far a device may have run ahead and still be resynchronised by two consecutive codes (7.4). */
const resyncAhead = 1_000;
/** Used codes that are still recognised as such: distinguishes a replay from a typing error. */
const remembered = 10;

/** The highest start of a new device: far enough from 2^53 that no number of logins gets there. */
export const highestFirstCounter = 2 ** 48;

const schema = v.strictObject({
  ...factorBase,
  ...otpFields,
  kind: v.literal('hotp'),
  /** The next expected moving factor; all below are used. */
  counter: count,
  inDoubt: resyncRequired,
});
export type HotpRecord = Infer<typeof schema>;

const request = v.strictObject({
  kind: v.literal('hotp'),
  secret: requestSecret,
  digits: otpFields.digits,
  algorithm: otpFields.algorithm,
  /** The next expected counter. */
  counter: count,
});

const portable = v.strictObject({
  ...portableBase,
  ...portableOtp,
  kind: v.literal('hotp'),
  /** The next expected counter. */
  counter: count,
});

/** RFC 4226. The moving factor is a counter that each press increments. */
export const hotp: FactorKind<HotpRecord, Infer<typeof portable>, typeof request, 'code'> = {
  kind: 'hotp',
  schema,
  words: { name: 'HOTP', answer: 'verification code' },
  satisfies: 'totp',
  traits: typedCodeTraits,
  usable: () => true,
  answerFormats: ({ digits }) => [{ kind: 'code', digits }],
  restored(record, { same }) {
    const counter = Math.max(record.counter, same?.counter ?? 0);
    return { record: { ...record, counter, inDoubt: true }, note: 'two-in-a-row' };
  },
  enrolling: {
    request,
    proof: 'code',
    make({ kind, secret, digits, algorithm, counter }, base, kept) {
      return { record: { ...base, kind, secret: newSecret(secret, kept), digits, algorithm, counter } };
    },
    refusal: (_record, verdict) => noCurrentCode(verdict),
  },
  importing: {
    schema: portable,
    same: ({ secret }, kept) => hasSecret(kept, secret),
    take({ kind, secret, digits, algorithm, counter }, base) {
      checkSeed(Buffer.from(secret, 'base64'));
      if (counter > highestFirstCounter)
        throw new SallyportError(
          'bad-mark',
          'the counter is higher than any OTP device reaches; check the file',
        );
      return { ...base, kind, secret, digits, algorithm, counter };
    },
    raise(moved, kept) {
      if (!isHotp(kept) || kept.digits !== moved.digits || kept.algorithm !== moved.algorithm)
        throw otherSettings(kept);
      return moved.counter > kept.counter && moved.counter <= highestFirstCounter
        ? { ...kept, counter: moved.counter }
        : undefined;
    },
  },
  exported: ({ kind, secret, digits, algorithm, counter }) => ({ kind, secret, digits, algorithm, counter }),
  details: (record) => ({
    detail: `${record.digits} digits, by counter, ${algorithmNames[record.algorithm]}${resyncText(record)}`,
  }),
  verify,
};

/*
 * - Only a counter at or above the expected one MUST be accepted, and the one after it becomes expected.
 * - Digits equal to those of the last used code MUST be refused, even if a later code happens to have the same
 *   ones: with two attempts at once, they would be valid twice.
 * - A code beyond the look-ahead is a wrong answer. It only determines the one counter at which the very next
 *   answer is correct: with a thousand counters to hit, a single code would be a thousand times easier to guess.
 * - For a record that requires resynchronisation no single code MUST be accepted, not even the expected one: it may
 *   have been used.
 */
function verify(record: HotpRecord, format: AnswerFormat, context: FactorContext): FactorVerdict<HotpRecord> {
  if (format.kind !== 'code' || format.text.length !== record.digits)
    return { outcome: 'refused', reason: 'wrong' };
  const expected = record.counter;
  const find = (from: number, to: number) => counterOf(record, format.text, from, to);

  if (find(Math.max(0, expected - 1), expected - 1) !== undefined)
    return { outcome: 'refused', reason: 'replay' };
  const near = record.inDoubt ? undefined : find(expected, expected + lookAhead);
  const right = near ?? secondOfTwo(record, format.text, context);
  if (right !== undefined) {
    const { inDoubt: _, ...sure } = record;
    return { outcome: 'accepted', record: { ...sure, counter: right + 1, lastUsed: context.now } };
  }
  // Compared last: it only distinguishes a replay from a typing error, and a correct code need not wait for it.
  if (find(Math.max(0, expected - remembered), expected - 2) !== undefined) {
    return { outcome: 'refused', reason: 'replay' };
  }
  const far = find(record.inDoubt ? expected : expected + lookAhead + 1, expected + resyncAhead);
  if (far === undefined) return { outcome: 'refused', reason: 'wrong' };
  const reason = record.inDoubt ? 'resync-required' : 'wrong';
  return { outcome: 'refused', reason, resync: { factor: record.id, counter: far + 1 } };
}

function isHotp(record: AnyRecord): record is HotpRecord {
  return record.kind === 'hotp';
}

/**
 * The second of two consecutive codes. The record may have moved since the first, so everything is evaluated again.
 */
function secondOfTwo(record: HotpRecord, text: string, { resync }: FactorContext): number | undefined {
  if (resync === undefined || resync.factor !== record.id) return undefined;
  if (resync.counter <= record.counter || resync.counter > record.counter + resyncAhead + 1) return undefined;
  return counterOf(record, text, resync.counter, resync.counter);
}

/** The first counter whose code this is. Each comparison takes constant time; only a match ends the search. */
function counterOf(record: HotpRecord, text: string, from: number, to: number): number | undefined {
  for (let counter = from; counter <= to; counter += 1) {
    if (sameCode(codeAt(record, counter), text)) return counter;
  }
  return undefined;
}
