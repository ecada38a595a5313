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
  resyncRequired,
  resyncText,
} from './fields.ts';
import { codeAt, sameCode } from './otp.ts';
import { checkSeed, hasSecret, otherSettings } from './seed.ts';

/** Presses that got lost: the expected code and this many after it are taken (RFC 4226, 7.2: s). */
const lookAhead = 10;
/** How far a token may have run on its own and still be brought back by two codes in a row (7.4). */
const resyncAhead = 1_000;
/** Spent codes that are still known as such: a replay is told from a slip of the finger. */
const remembered = 10;

/** Where a new token may start: far enough from 2^53 that no number of logins gets there. */
export const highestFirstCounter = 2 ** 48;

const schema = v.strictObject({
  ...factorBase,
  ...otpFields,
  kind: v.literal('hotp'),
  /** The next moving factor expected; all below are spent. */
  counter: count,
  inDoubt: resyncRequired,
});
export type HotpRecord = Infer<typeof schema>;

const portable = v.strictObject({
  ...portableBase,
  ...portableOtp,
  kind: v.literal('hotp'),
  /** The next one expected. */
  counter: count,
});

/** RFC 4226. The moving factor is a counter that each press moves. */
export const hotp: FactorKind<HotpRecord, Infer<typeof portable>> = {
  kind: 'hotp',
  schema,
  words: { name: 'HOTP', answer: 'verification code' },
  meets: 'totp',
  traits: { countsAsCode: true, liftsCodeLock: false, isIssued: false, isSingle: false, runsOut: false },
  usable: () => true,
  answerFormats: ({ digits }) => [{ kind: 'code', digits }],
  restored(record, { same }) {
    const counter = Math.max(record.counter, same?.counter ?? 0);
    return { record: { ...record, counter, inDoubt: true }, note: 'two-in-a-row' };
  },
  importing: {
    schema: portable,
    same: ({ secret }, kept) => hasSecret(kept, secret),
    take({ kind, secret, digits, algorithm, counter }, base) {
      checkSeed(Buffer.from(secret, 'base64'));
      if (counter > highestFirstCounter)
        throw new SallyportError('bad-mark', 'the counter is higher than any token gets; look at the file');
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
 * - Only a counter at or above the expected one MUST be accepted, and the next one becomes expected.
 * - Digits that equal those of the code spent last MUST be refused, even where they happen to be those of a
 *   code to come as well: tried twice at once, they would be good twice.
 * - A code beyond the look-ahead is a wrong answer. It only names the one counter at which the very next
 *   answer is right: with a thousand counters to hit, one code alone would be a thousand times easier to guess.
 * - Of a record in doubt no single code MUST be accepted, not even the expected one: it may be spent.
 */
function verify(record: HotpRecord, format: AnswerFormat, context: FactorContext): FactorVerdict<HotpRecord> {
  if (format.kind !== 'code' || format.text.length !== record.digits)
    return { outcome: 'refused', reason: 'wrong' };
  const expected = record.counter;
  const find = (from: number, to: number) => counterOf(record, format.text, from, to);

  if (find(Math.max(0, expected - 1), expected - 1) !== undefined)
    return { outcome: 'refused', reason: 'replay' };
  const near = record.inDoubt ? undefined : find(expected, expected + lookAhead);
  const right = near ?? proven(record, format.text, context);
  if (right !== undefined) {
    const { inDoubt: _, ...sure } = record;
    return { outcome: 'accepted', record: { ...sure, counter: right + 1, lastUsed: context.now } };
  }
  // Asked last: it only tells a replay from a slip of the finger, and a right code need not wait for it.
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

/** The second of two codes in a row. The record may have moved since the first, so all is asked anew. */
function proven(record: HotpRecord, text: string, { resync }: FactorContext): number | undefined {
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
