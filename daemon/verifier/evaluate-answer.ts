import type { WantedFormats } from '../factors/answers/answer-format.ts';
import {
  type Answer,
  answerFormatOf,
  anyFormat,
  endsLikeOtp,
  isFixed,
  looksLikeOtp,
  retyped,
  tailsOf,
} from '../factors/answers/answer-format.ts';
import { typedUnder } from '../factors/answers/layouts.ts';
import type {
  AnswerFormat,
  ClockOffset,
  FactorContext,
  FactorVerdict,
  RejectReason,
  Resync,
} from '../factors/contract.ts';
import { type FactorRecord, kindOf, takes } from '../factors/kinds.ts';
import type { LoginFacts } from '../policy/contract.ts';

/** The result of an answer against the factors of one account. Pure: stores nothing. */
export type Evaluation =
  | {
      readonly outcome: 'accepted';
      /** Invariant: stored in this state before SUCCESS is sent. */
      readonly factor: FactorRecord;
      /** Length in bytes of the factor at the end of the answer. */
      readonly length: number;
      readonly format: AnswerFormat;
      /** Single use: the commit removes the factor. */
      readonly gone?: true;
    }
  /** No usable factor takes an answer of this format: not counted. */
  | {
      readonly outcome: 'unknown-format';
      /** It is the OTP of a YubiKey, typed under one of these keyboard layouts. */
      readonly layouts?: readonly string[];
    }
  /** A typed code, and typed codes are locked: refused at once, not counted. */
  | { readonly outcome: 'codes-locked' }
  | {
      readonly outcome: 'refused';
      readonly reason: RejectReason;
      /** Whether it counts as a failure of typed codes. */
      readonly countsAsCode: boolean;
      readonly resync?: Resync;
      readonly offset?: ClockOffset;
      /** restored: when codes are accepted again, in milliseconds since the epoch. */
      readonly until?: number;
      /** restored: the code belongs to the device, so that "wrong" from another factor does not count. */
      readonly matches?: true;
      /**
       * It is the answer that was accepted last, within its own window: it guesses nothing, and is not counted.
       * single-use: no next one comes by itself, as it does on a device.
       */
      readonly repeats?: 'code' | 'single-use';
    };

export interface EvaluationInput {
  /** The factors that may be used in this login. */
  readonly factors: readonly FactorRecord[];
  readonly answer: Answer;
  /** The whole answer, or the part behind the password. */
  readonly where: 'whole' | 'tail';
  readonly codesLocked: boolean;
  readonly context: FactorContext;
}

/** Which part of an answer the factor is. */
export function whereOf({ mode }: Pick<LoginFacts, 'mode'>): 'whole' | 'tail' {
  return mode === 'prompt' ? 'whole' : 'tail';
}

/**
 * Whether validation servers could be asked about an answer, for any account: true wherever `otpForServers` finds
 * one, whatever the factors are.
 */
export function mayBeAnOtp(answer: Buffer, where: EvaluationInput['where']): boolean {
  return where === 'tail' ? endsLikeOtp(answer) : looksLikeOtp(answer);
}

interface Candidate {
  readonly format: AnswerFormat;
  readonly length: number;
}

function wantedBy(factors: readonly FactorRecord[]): WantedFormats {
  const accepted = factors.flatMap((factor) => kindOf(factor).answerFormats(factor));
  return {
    digits: new Set(accepted.flatMap((one) => ('digits' in one ? [one.digits] : []))),
    otps: new Set(accepted.flatMap((one) => ('publicId' in one ? [one.publicId] : []))),
    fixed: new Set(accepted.flatMap((one) => (isFixed(one) ? [one.kind] : []))),
  };
}

function candidates(question: Omit<EvaluationInput, 'context'>): readonly Candidate[] {
  const { answer } = question;
  if (!Buffer.isBuffer(answer)) return [{ format: { kind: 'assertion', assertion: answer }, length: 0 }];
  const wanted = wantedBy(question.factors);
  if (question.where === 'whole') return [{ format: wholeFormat(answer, wanted), length: answer.length }];
  return tailsOf(answer, wanted);
}

/**
 * An OTP typed under another keyboard layout is recognised only if exactly one layout maps it to a key of these
 * factors.
 */
function wholeFormat(answer: Buffer, { digits, otps }: Pick<WantedFormats, 'digits' | 'otps'>): AnswerFormat {
  const format = answerFormatOf(answer, digits);
  return format.kind === 'none' && otps.size > 0 ? retyped(typedUnder(answer), otps) : format;
}

/**
 * Whether an answer could be valid for some account, whatever factors this one has: used where the account must not
 * be revealed.
 */
export function mayBeAnAnswer(answer: Buffer, where: EvaluationInput['where']): boolean {
  if (where === 'tail') return endsLikeOtp(answer) || tailsOf(answer, anyFormat).length > 0;
  const { kind } = answerFormatOf(answer, anyFormat.digits);
  return kind === 'none' ? typedUnder(answer).length > 0 : kind !== 'enter';
}

/** The possible formats of an answer, also of factors that the account no longer has: a used-up one may be gone. */
export function formatsIn({
  answer,
  where,
  factors,
}: Pick<EvaluationInput, 'answer' | 'where' | 'factors'>): readonly AnswerFormat[] {
  if (!Buffer.isBuffer(answer)) return [];
  const { otps } = wantedBy(factors);
  if (where === 'whole') return [wholeFormat(answer, { digits: anyFormat.digits, otps })];
  return [...tailsOf(answer, { ...anyFormat, otps }), ...tailsOf(answer, anyFormat)].map(
    ({ format }) => format,
  );
}

/** A failure is uncounted only if every factor that was tried says so. */
const gravity = {
  counter: 3,
  replay: 2,
  'resync-required': 2,
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

/** Whether a usable factor shares counters with other accounts; only then are they read. */
export function needsCounters(question: Omit<EvaluationInput, 'context'>): boolean {
  const accepted = question.factors.flatMap((factor) => {
    const kind = kindOf(factor);
    return kind.counters === undefined ? [] : kind.answerFormats(factor).map((one) => one.kind);
  });
  return (
    accepted.length > 0 &&
    candidates(question).some(({ format }) => accepted.some((kind) => kind === format.kind))
  );
}

/** The OTP in this answer that only the servers can verify; undefined if no usable factor has one. */
export function otpForServers(question: Omit<EvaluationInput, 'context'>): string | undefined {
  if (question.codesLocked) return undefined;
  const byServers = question.factors.filter(
    (factor) => kindOf(factor).isValidatedByServers?.(factor) === true,
  );
  if (byServers.length === 0) return undefined;
  for (const { format } of candidates(question))
    if ('text' in format && byServers.some((factor) => takes(factor, format))) return format.text;
  return undefined;
}

function layoutsOf({ answer, where }: EvaluationInput): { readonly layouts?: readonly string[] } {
  const layouts = Buffer.isBuffer(answer) && where === 'whole' ? typedUnder(answer) : [];
  return layouts.length === 0 ? {} : { layouts: layouts.map(({ layout }) => layout) };
}

/**
 * The first factor that accepts decides; an answer that no factor accepts is one failure, however many factors were
 * tried.
 */
export function evaluateAnswer(question: EvaluationInput): Evaluation {
  let refused: (Evaluation & { outcome: 'refused' }) | undefined;
  let locked = false;
  for (const { format, length } of candidates(question)) {
    for (const record of question.factors) {
      if (!takes(record, format)) continue;
      const kind = kindOf(record);
      const { countsAsCode } = kind.traits;
      if (question.codesLocked && countsAsCode) {
        locked = true;
        continue;
      }
      const verdict = kind.verify(record, format, question.context);
      if (verdict.outcome === 'accepted') {
        const gone = verdict.gone === undefined ? {} : { gone: verdict.gone };
        return { outcome: 'accepted', factor: verdict.record, length, format, ...gone };
      }
      const evaluation = refusedAs(verdict, countsAsCode);
      refused = refused === undefined ? evaluation : worse(refused, evaluation);
    }
  }
  if (refused !== undefined) return refused;
  return locked ? { outcome: 'codes-locked' } : { outcome: 'unknown-format', ...layoutsOf(question) };
}
