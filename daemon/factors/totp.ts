import * as v from 'valibot';
import { SallyportError } from '../lib/errors.ts';
import { offsetText } from '../lib/units.ts';
import { limits } from '../limits.ts';
import type { FactorBase } from './answer.ts';
import type { AnswerFormat, AnyRecord, FactorContext, FactorKind, FactorVerdict } from './contract.ts';
import {
  algorithmNames,
  count,
  countOrNone,
  factorBase,
  type Infer,
  minuteOf,
  otpFields,
  portableBase,
  portableOtp,
  requestSecret,
  time,
  typedCodeTraits,
} from './fields.ts';
import { codeAt, sameCode } from './otp.ts';
import { checkSeed, hasSecret, newSecret, noCurrentCode, otherSettings } from './seed.ts';

/** A clock further out is broken; each step of drift is one more code that a thief may use later. */
export const furthestDrift = 10;

/** Steps on either side of now in which a code of a device with a wrong clock is searched for: an hour with 30 s. */
export const furthestSearch = 120;

const period = v.pipe(
  v.number(),
  v.safeInteger(),
  v.minValue(limits.totpPeriod.least),
  v.maxValue(limits.totpPeriod.most),
);

const schema = v.strictObject({
  ...factorBase,
  ...otpFields,
  kind: v.literal('totp'),
  /** Seconds. */
  period,
  /** The moving factor of the last accepted code; a step at or below it is refused. */
  lastStep: countOrNone,
  /**
   * Equal to `lastStep` if a restore set that step, since codes up to it may have been used. Any other value means
   * nothing.
   */
  heldStep: v.exactOptional(count),
  /** A code of another time, refused since the last accepted one: how far the device's clock is out. */
  lastOffset: v.exactOptional(v.strictObject({ seconds: v.pipe(v.number(), v.safeInteger()), at: time })),
  /** Steps by which the device runs ahead (+) or behind (-). */
  drift: v.pipe(v.number(), v.integer(), v.minValue(-furthestDrift), v.maxValue(furthestDrift)),
});
export type TotpRecord = Infer<typeof schema>;

const request = v.strictObject({
  kind: v.literal('totp'),
  secret: requestSecret,
  digits: otpFields.digits,
  /** Seconds. */
  period,
  algorithm: otpFields.algorithm,
});

const portable = v.strictObject({
  ...portableBase,
  ...portableOtp,
  kind: v.literal('totp'),
  period,
  /** The last step used, -1 for none; now: unknown, so all steps up to now count as used. */
  mark: v.union([countOrNone, v.literal('now')]),
  /** Steps by which the device runs ahead or behind. */
  drift: v.pipe(v.number(), v.safeInteger()),
});
type PortableTotp = Infer<typeof portable>;

/** A last-used step further ahead refuses every code for hours: one of the two clocks is wrong. Seconds. */
const furthestMark = 2 * 3_600;

/** RFC 6238. The moving factor is the count of periods since 1970, called step here. */
export const totp: FactorKind<TotpRecord, PortableTotp, typeof request, 'code'> = {
  kind: 'totp',
  schema,
  words: { name: 'TOTP', answer: 'verification code' },
  satisfies: 'totp',
  traits: typedCodeTraits,
  usable: () => true,
  answerFormats: ({ digits }) => [{ kind: 'code', digits }],
  verify,
  replayWindow: ({ period }, { totp: { skew } }) => (2 * skew + 1) * period * 1_000,
  withOffset: (record, lastOffset) => ({ ...record, lastOffset }),
  withoutCodeToCome(record) {
    if ((record.lastOffset?.seconds ?? 0) <= 0) return record;
    const { lastOffset: _, ...rest } = record;
    return rest;
  },
  restored(record, { same, isNewest, now, skew }) {
    const drift = same?.drift ?? record.drift;
    // The device may have been found to run ahead since: by one step if the newest copy is known, otherwise by the
    // maximum.
    const ahead = isNewest && same !== undefined ? Math.max(0, drift) + 1 : furthestDrift;
    const present = Math.floor(now / 1000 / record.period) + ahead + skew;
    const mark = Math.max(record.lastStep, same?.lastStep ?? -1);
    const { heldStep: _, ...free } = record;
    if (present <= mark) return { record: { ...free, drift, lastStep: mark } };
    return { record: { ...free, drift, lastStep: present, heldStep: present } };
  },
  enrolling: {
    request,
    proof: 'code',
    make: (asked, base, kept) => ({ record: newTotp(asked, base, kept) }),
    refusal: (_record, verdict) => noCurrentCode(verdict),
  },
  importing: {
    schema: portable,
    same: ({ secret }, kept) => hasSecret(kept, secret),
    take(moved, base, _terms, { now }) {
      checkSeed(Buffer.from(moved.secret, 'base64'));
      const { kind, secret, digits, period, algorithm, drift } = moved;
      if (Math.abs(drift) > furthestDrift)
        throw new SallyportError(
          'clock-skew',
          `the device's clock is ${Math.abs(drift)} steps out, and at most ${furthestDrift} are carried; set it right, log in once there, and import again`,
        );
      return { ...base, kind, secret, digits, period, algorithm, lastStep: markedStep(moved, now), drift };
    },
    raise(moved, kept, { now }) {
      if (!isTotp(kept) || kept.period !== moved.period) throw otherSettings(kept);
      if (kept.digits !== moved.digits || kept.algorithm !== moved.algorithm) throw otherSettings(kept);
      // A last-used step that is only assumed counts when a factor is added, or each import would move it.
      const step = moved.mark === 'now' ? -1 : markedStep(moved, now);
      return step > kept.lastStep ? { ...kept, lastStep: step } : undefined;
    },
  },
  exported({ kind, secret, digits, period, algorithm, lastStep, drift }) {
    return { kind, secret, digits, period, algorithm, mark: lastStep, drift };
  },
  details(record) {
    const until = heldUntil(record);
    const restored = until === undefined ? '' : `, restored: codes are accepted from ${minuteOf(until)} on`;
    const detail = `${record.digits} digits, ${record.period} s, ${algorithmNames[record.algorithm]}${restored}${ofAnotherTime(record)}`;
    return { detail, ...(until === undefined ? {} : { heldUntil: until }) };
  },
};

/*
 * - Only a step above the last-used one MUST be accepted, and it becomes the last-used step.
 * - Digits equal to those of a used step in the window MUST be refused, even if a later step happens to have the
 *   same ones: an observer could use them again.
 * - Of two unused steps with the same digits the later one is accepted: its last-used step covers both.
 * - Every step of the window is computed and compared, so that the time does not reveal which one matches.
 * - A code of another time is searched for only if the first factor is verified, and is never accepted by itself.
 *   It determines the one step whose code is correct as the very next answer (RFC 6238, section 6): both steps
 *   above the last-used one, and within the maximum drift from now. The second becomes the last-used step, so that
 *   no pair is valid twice.
 */
function verify(record: TotpRecord, format: AnswerFormat, context: FactorContext): FactorVerdict<TotpRecord> {
  if (format.kind !== 'code' || format.text.length !== record.digits) return refused('wrong');
  const center = Math.floor(context.now / 1000 / record.period) + record.drift;
  const newest = center + context.skew;
  let fits = -1;
  let used = false;
  for (let step = Math.max(0, center - context.skew); step <= newest; step += 1) {
    if (!sameCode(codeAt(record, step), format.text)) continue;
    if (step > record.lastStep) fits = step;
    else used = true;
  }
  // Every step of the window is used: no code of now can be correct, and users should read why.
  const until = heldUntil(record);
  if (until !== undefined && (used || newest <= record.lastStep))
    return { outcome: 'refused', reason: 'restored', until, ...(used ? { matches: true } : {}) };
  if (newest < record.lastStep) return refused('clock');
  if (used) return refused('replay');
  if (fits >= 0) {
    const drift = record.drift + Math.sign(fits - center);
    return { outcome: 'accepted', record: movedOn(record, fits, drift, context.now) };
  }
  return context.firstFactorVerified === true
    ? atAnotherTime(record, format.text, context)
    : refused('wrong');
}

/** @throws SallyportError `bad-secret` */
export function newTotp(
  { secret: seed, digits, period, algorithm }: Omit<Infer<typeof request>, 'kind'>,
  base: FactorBase,
  kept: readonly AnyRecord[],
): TotpRecord {
  const secret = newSecret(seed, kept);
  return { ...base, kind: 'totp', secret, digits, period, algorithm, lastStep: -1, drift: 0 };
}

function isTotp(record: AnyRecord): record is TotpRecord {
  return record.kind === 'totp';
}

function markedStep({ mark, period, drift }: PortableTotp, now: number): number {
  const present = Math.floor(now / 1000 / period) + drift;
  if (mark === 'now') return present;
  if (mark <= present + furthestMark / period) return mark;
  throw new SallyportError(
    'bad-mark',
    'its last code was used in the future, by the clock of this machine; correct the clock first',
  );
}

function ofAnotherTime({ lastOffset }: TotpRecord): string {
  if (lastOffset === undefined) return '';
  return `, refused ${minuteOf(lastOffset.at)}: ${offsetText(lastOffset.seconds)}`;
}

/** A code outside the window: the second of two in sequence, or one of another time. */
function atAnotherTime(record: TotpRecord, text: string, context: FactorContext): FactorVerdict<TotpRecord> {
  const present = Math.floor(context.now / 1000 / record.period);
  const { resync } = context;
  const isNear = (step: number) => Math.abs(step - present) <= furthestDrift;
  if (resync?.factor === record.id) {
    const next = resync.counter;
    const isOpen = next - 1 > record.lastStep && isNear(next - 1) && isNear(next);
    if (isOpen && sameCode(codeAt(record, next), text))
      return { outcome: 'accepted', record: movedOn(record, next, next - present, context.now) };
  }
  const step = nearestStep(record, text, present);
  if (step === undefined) return refused('wrong');
  return {
    outcome: 'refused',
    reason: 'wrong',
    offset: { factor: record.id, seconds: (step - present) * record.period },
    ...(isNear(step) ? { resync: { factor: record.id, counter: step + 1 } } : {}),
  };
}

/** Of the unused steps with this code the one nearest to now. All are compared, whichever matches. */
function nearestStep(record: TotpRecord, text: string, present: number): number | undefined {
  let nearest: number | undefined;
  for (let step = Math.max(0, present - furthestSearch); step <= present + furthestSearch; step += 1) {
    const isNearer = nearest === undefined || Math.abs(step - present) < Math.abs(nearest - present);
    if (sameCode(codeAt(record, step), text) && step > record.lastStep && isNearer) nearest = step;
  }
  return nearest;
}

/**
 * When the device shows the first code that is accepted again after a restore; milliseconds since the epoch.
 * undefined if no restore blocks its codes, or a code was accepted since.
 */
export function heldUntil({ heldStep, lastStep, drift, period }: TotpRecord): number | undefined {
  return heldStep === undefined || heldStep !== lastStep ? undefined : (lastStep + 1 - drift) * period * 1000;
}

/**
 * @param drift one code moves it by at most one step: a single late code does not mean a slow clock; two in
 *   sequence show how far the clock is out
 */
function movedOn(record: TotpRecord, step: number, drift: number, now: number): TotpRecord {
  const { heldStep: _, lastOffset: __, ...free } = record;
  return {
    ...free,
    lastStep: step,
    drift: Math.max(-furthestDrift, Math.min(furthestDrift, drift)),
    lastUsed: now,
  };
}

function refused(reason: 'wrong' | 'replay' | 'clock'): FactorVerdict<TotpRecord> {
  return { outcome: 'refused', reason };
}
