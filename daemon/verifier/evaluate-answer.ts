import {
  type Answer,
  answerFormatOf,
  endsLikeOtp,
  type FixedFormat,
  tailsOf,
} from '../factors/answer-format.ts';
import type {
  AnswerFormat,
  ClockOffset,
  FactorContext,
  FactorVerdict,
  RejectReason,
  Resync,
} from '../factors/contract.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import { kindOf } from '../factors/kinds.ts';
import { typedUnder } from '../factors/layouts.ts';
import { formatOfKeys } from '../factors/recovery.ts';
import { publicIdOf } from '../factors/yubikey.ts';

/** What an answer turned out to be, against one account's factors. Pure: nothing is stored here. */
export type Evaluation =
  | {
      readonly outcome: 'accepted';
      /** The factor as it MUST be stored before SUCCESS leaves. */
      readonly factor: FactorRecord;
      /** Bytes at the end of the answer that were the factor. */
      readonly length: number;
      readonly shape: AnswerFormat;
    }
  /** No factor that may be used takes an answer of this shape: it counts nowhere. */
  | {
      readonly outcome: 'no-shape';
      /** It is the OTP of a YubiKey, typed under one of these keyboard layouts. */
      readonly layouts?: readonly string[];
    }
  /** A typed code, and typed codes are locked: refused at once, counts nowhere. */
  | { readonly outcome: 'codes-locked' }
  | {
      readonly outcome: 'refused';
      readonly reason: RejectReason;
      /** Whether it counts with the typed codes. */
      readonly countsAsCode: boolean;
      readonly resync?: Resync;
      readonly offset?: ClockOffset;
      /** restored: when codes are accepted again. Milliseconds since the epoch. */
      readonly until?: number;
      /** restored: it is a code of the device, so that no other factor's "wrong" counts. */
      readonly matches?: true;
      /** It is the answer that was accepted last, within its own window: it guesses nothing, and counts nowhere. */
      readonly repeats?: true;
    };

export interface EvaluationInput {
  /** The factors that may be used in this login. */
  readonly factors: readonly FactorRecord[];
  readonly answer: Answer;
  /** The whole answer, or what stands at its end behind the password. */
  readonly where: 'whole' | 'tail';
  readonly codesLocked: boolean;
  readonly context: FactorContext;
}

/**
 * Whether an answer could be one that validation servers are asked about, for some account: true wherever
 * `otpForServers` finds one, whatever the factors are.
 */
export function mayBeAnOtp(answer: Buffer, where: EvaluationInput['where']): boolean {
  return where === 'tail' ? endsLikeOtp(answer) : answerFormatOf(answer, anyDigits).kind === 'yubikey';
}

interface Candidate {
  readonly shape: AnswerFormat;
  readonly length: number;
}

function digitsInUse(factors: readonly FactorRecord[]): Set<number> {
  const digits = new Set<number>();
  for (const factor of factors) if ('digits' in factor) digits.add(factor.digits);
  return digits;
}

function publicIdsOf(factors: readonly FactorRecord[]): ReadonlySet<string> {
  return new Set(factors.flatMap((factor) => (factor.kind === 'yubikey' ? [factor.publicId] : [])));
}

function candidates(question: Omit<EvaluationInput, 'context'>): readonly Candidate[] {
  const { answer } = question;
  if (!Buffer.isBuffer(answer)) return [{ shape: { kind: 'assertion', assertion: answer }, length: 0 }];
  const digits = digitsInUse(question.factors);
  if (question.where === 'whole')
    return [{ shape: wholeFormat(answer, digits, publicIdsOf(question.factors)), length: answer.length }];
  return tailsOf(answer, {
    digits,
    fixed: fixedFormatsOf(question.factors),
    otps: publicIdsOf(question.factors),
  });
}

/** An OTP that was typed under another keyboard layout is one where exactly one layout makes it a key's of these. */
function wholeFormat(
  answer: Buffer,
  digits: ReadonlySet<number>,
  publicIds: ReadonlySet<string>,
): AnswerFormat {
  const shape = answerFormatOf(answer, digits);
  if (shape.kind !== 'none' || publicIds.size === 0) return shape;
  const [first, ...others] = typedUnder(answer).filter(({ otp }) => publicIds.has(publicIdOf(otp)));
  return first === undefined || others.length > 0 ? shape : { kind: 'yubikey', text: first.otp };
}

function fixedFormatsOf(factors: readonly FactorRecord[]): ReadonlySet<FixedFormat> {
  return new Set(
    factors.flatMap((factor) => {
      if (factor.kind === 'recovery') return [formatOfKeys(factor)];
      return factor.kind === 'bypass' ? [factor.kind] : [];
    }),
  );
}

const anyDigits: ReadonlySet<number> = new Set([6, 7, 8]);
const anyFixed: ReadonlySet<FixedFormat> = new Set(['recovery', 'legacy-recovery', 'bypass']);
const noOtp: ReadonlySet<string> = new Set();

/**
 * Whether an answer could be one for anybody, whatever factors the account has: asked where the account
 * must not show.
 */
export function mayBeAnAnswer(answer: Buffer, where: EvaluationInput['where']): boolean {
  if (where === 'tail')
    return (
      endsLikeOtp(answer) || tailsOf(answer, { digits: anyDigits, fixed: anyFixed, otps: noOtp }).length > 0
    );
  const { kind } = answerFormatOf(answer, anyDigits);
  return kind === 'none' ? typedUnder(answer).length > 0 : kind !== 'enter';
}

/** What an answer may be, whatever factors the account has left: one that was used up may be gone. */
export function formatsIn({
  answer,
  where,
  factors,
}: Pick<EvaluationInput, 'answer' | 'where' | 'factors'>): readonly AnswerFormat[] {
  if (!Buffer.isBuffer(answer)) return [];
  if (where === 'whole') return [wholeFormat(answer, anyDigits, publicIdsOf(factors))];
  const otps = publicIdsOf(factors);
  const typed = { digits: anyDigits, fixed: anyFixed, otps: noOtp };
  return [...tailsOf(answer, { ...typed, otps }), ...tailsOf(answer, typed)].map(({ shape }) => shape);
}

/** What counts nowhere must be the word of every factor that was asked. */
const gravity = {
  counter: 3,
  replay: 2,
  'first-of-two': 2,
  wrong: 1,
  clock: 0,
  restored: 0,
  unavailable: 0,
} as const;

function gravityOf({ reason, matches }: Evaluation & { outcome: 'refused' }): number {
  return matches === true ? gravity.counter : gravity[reason];
}

function worse(
  a: Evaluation & { outcome: 'refused' },
  b: Evaluation & { outcome: 'refused' },
): Evaluation & { outcome: 'refused' } {
  const graver = gravityOf(b) > gravityOf(a) ? b : a;
  const resync = a.resync ?? b.resync;
  const offset = a.offset ?? b.offset;
  return {
    outcome: 'refused',
    reason: graver.reason,
    countsAsCode: a.countsAsCode || b.countsAsCode,
    ...(resync === undefined ? {} : { resync }),
    ...(offset === undefined ? {} : { offset }),
    ...(graver.until === undefined ? {} : { until: graver.until }),
    ...(graver.matches === undefined ? {} : { matches: graver.matches }),
  };
}

function refusedAs(
  verdict: FactorVerdict & { outcome: 'refused' },
  countsAsCode: boolean,
): Evaluation & { outcome: 'refused' } {
  return {
    outcome: 'refused',
    reason: verdict.reason,
    countsAsCode,
    ...(verdict.resync === undefined ? {} : { resync: verdict.resync }),
    ...(verdict.offset === undefined ? {} : { offset: verdict.offset }),
    ...(verdict.until === undefined ? {} : { until: verdict.until }),
    ...(verdict.matches === undefined ? {} : { matches: verdict.matches }),
  };
}

/** Whether a YubiKey of the account may be asked: only then do its marks matter. */
export function mayBeOtp(question: Omit<EvaluationInput, 'context'>): boolean {
  const hasYubikey = question.factors.some((factor) => factor.kind === 'yubikey');
  return hasYubikey && candidates(question).some(({ shape }) => shape.kind === 'yubikey');
}

/** The OTP in this answer that only the servers can judge; undefined: there is none that may be used. */
export function otpForServers(question: Omit<EvaluationInput, 'context'>): string | undefined {
  if (question.codesLocked) return undefined;
  const byServers = question.factors.filter(
    (factor) => factor.kind === 'yubikey' && factor.validation === 'cloud',
  );
  if (byServers.length === 0) return undefined;
  for (const { shape } of candidates(question))
    if (shape.kind === 'yubikey' && byServers.some((factor) => kindOf(factor).takes(factor, shape)))
      return shape.text;
  return undefined;
}

function layoutsOf({ answer, where }: EvaluationInput): { readonly layouts?: readonly string[] } {
  const layouts = Buffer.isBuffer(answer) && where === 'whole' ? typedUnder(answer) : [];
  return layouts.length === 0 ? {} : { layouts: layouts.map(({ layout }) => layout) };
}

/**
 * The first factor that accepts decides; an answer that none accepts is one failure, however many it
 * was tried against.
 */
export function evaluateAnswer(question: EvaluationInput): Evaluation {
  let refused: (Evaluation & { outcome: 'refused' }) | undefined;
  let locked = false;
  for (const { shape, length } of candidates(question)) {
    for (const record of question.factors) {
      const factor = kindOf(record);
      if (!factor.takes(record, shape)) continue;
      if (question.codesLocked && factor.countsAsCode) {
        locked = true;
        continue;
      }
      const verdict = factor.verify(record, shape, question.context);
      if (verdict.outcome === 'accepted')
        return { outcome: 'accepted', factor: verdict.record, length, shape };
      const judgement = refusedAs(verdict, factor.countsAsCode);
      refused = refused === undefined ? judgement : worse(refused, judgement);
    }
  }
  if (refused !== undefined) return refused;
  return locked ? { outcome: 'codes-locked' } : { outcome: 'no-shape', ...layoutsOf(question) };
}
