import type { Assertions } from '../authenticators/assertions.ts';
import type { Asker, Validations } from '../authenticators/validations.ts';
import type { Realm } from '../config/contract.ts';
import type { Answer } from '../factors/answers/answer-format.ts';
import type { FactorContext, Resync, Signed, Validated } from '../factors/contract.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import { kindOf } from '../factors/kinds.ts';
import { isSingleUse } from '../factors/scratch.ts';
import type { Outside } from '../lib/account-mutex.ts';
import { afterFailure, afterVerified } from '../policy/lockout.ts';
import type { AcceptedAnswer, AccountRecord, Store } from '../store/contract.ts';
import {
  type Evaluation,
  type EvaluationInput,
  evaluateAnswer,
  needsCounters,
  otpForServers,
} from './evaluate-answer.ts';
import { replayIn } from './replay.ts';
import { withMarks, type YubikeyCounters } from './yubikey-counters.ts';

/** What an answer is evaluated against: fresh records, and what policy allows of them. */
export interface AnswerContext {
  readonly record: AccountRecord;
  readonly version: number;
  readonly realm: Realm;
  /** The factors that may be used. */
  readonly factors: readonly FactorRecord[];
  readonly tokens: YubikeyCounters;
  /** What validation servers reported for this answer. */
  readonly validated?: Validated;
  /** What the signature in this answer proves. */
  readonly signed?: Signed;
  readonly codesLocked: boolean;
  readonly firstFactorVerified: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export function contextOf(realm: Realm, now: number, keyedHash: FactorContext['keyedHash']): FactorContext {
  return { now, skew: realm.totp.skew, keyedHash, userVerification: realm.webauthn.userVerification };
}

export function evaluateLoginAnswer(
  answerContext: AnswerContext,
  answer: Answer,
  where: 'whole' | 'tail',
  keyedHash: FactorContext['keyedHash'],
  resync: Resync | undefined,
): Evaluation {
  const { validated, signed, firstFactorVerified } = answerContext;
  const context = {
    ...contextOf(answerContext.realm, answerContext.now, keyedHash),
    firstFactorVerified,
    ...(validated === undefined ? {} : { validated }),
    ...(signed === undefined ? {} : { signed }),
  };
  const question = { factors: answerContext.factors, answer, where, codesLocked: answerContext.codesLocked };
  const evaluation = evaluateAnswer({
    ...question,
    context: resync === undefined ? context : { ...context, resync },
  });
  if (evaluation.outcome === 'accepted' || evaluation.outcome === 'codes-locked') return evaluation;
  const { accepted, account, factors } = answerContext.record;
  const replay = replayIn(accepted, account, question, answerContext.now);
  if (replay === undefined) return evaluation;
  // A device knows a code of its own; what no device knows may be one of a set.
  const isOfDevice = evaluation.outcome === 'refused' && evaluation.reason === 'replay';
  return {
    outcome: 'refused',
    reason: 'replay',
    countsAsCode: true,
    repeats: !isOfDevice && isSingleUse(replay, factors) ? 'single-use' : 'code',
  };
}

interface Helpers {
  readonly store: Pick<Store, 'token'>;
  readonly validations: Validations;
  readonly assertions: Assertions;
}

/** What an answer is evaluated with, once everything is fetched. */
export type Ready = Pick<AnswerContext, 'factors' | 'tokens' | 'validated' | 'signed'>;

/**
 * Fetches what an answer needs beside the account's record: YubiKey counters and the validation servers' replies,
 * or what the signature of a security key proves.
 */
export async function prepareAnswer(
  { store, validations, assertions }: Helpers,
  realm: Realm,
  question: Omit<EvaluationInput, 'context'>,
  asker: Asker,
): Promise<Ready | Outside> {
  const { answer, factors } = question;
  if (!Buffer.isBuffer(answer)) {
    const check = assertions.needed(answer, factors);
    if (check !== undefined) return check;
    const { signed } = await assertions.of(answer, factors);
    return { factors, tokens: new Map(), ...(signed === undefined ? {} : { signed }) };
  }
  const otp = otpForServers(question);
  const ask =
    otp === undefined ? undefined : validations.needed(realm.yubikey.servers, { answer, otp }, asker);
  if (ask !== undefined) return ask;
  if (!needsCounters(question)) return { factors, tokens: new Map() };
  const validated = validations.said(answer);
  return { ...(await withMarks(store, factors)), ...(validated === undefined ? {} : { validated }) };
}

/** An accepted factor, as it is to be stored, or removed. */
export interface Used {
  readonly factor: FactorRecord;
  readonly gone?: true;
}

/**
 * The record after `factor` was accepted: its last-used counter moved, a bypass code removed, the failure count
 * cleared.
 * @param accepted the answer; undefined if nothing was typed
 */
export function afterAcceptance(
  record: AccountRecord,
  { factor, gone }: Used,
  accepted: AcceptedAnswer | undefined,
): AccountRecord {
  const kept = gone === true ? [] : [factor];
  return {
    ...record,
    ...(accepted === undefined ? {} : { accepted }),
    factors: record.factors.flatMap((old) => (old.id === factor.id ? kept : [old])),
    lock: afterVerified(record.lock, factor.kind),
  };
}

/** The record with one more failure, and with the clock offset of the device, if the answer shows one. */
export function afterFailedAnswer(
  answerContext: AnswerContext,
  evaluation: Evaluation & { outcome: 'refused' },
): AccountRecord {
  const lock = afterFailure(
    answerContext.record.lock,
    evaluation.countsAsCode,
    answerContext.realm.lockout,
    answerContext.now,
  );
  const { offset } = evaluation;
  if (offset === undefined) return { ...answerContext.record, lock };
  const lastOffset = { seconds: offset.seconds, at: answerContext.now };
  const factors = answerContext.record.factors.map((factor) =>
    factor.id === offset.factor ? (kindOf(factor).withOffset?.(factor, lastOffset) ?? factor) : factor,
  );
  return { ...answerContext.record, lock, factors };
}
