import type { Realm } from './config/contract.ts';
import type { FactorContext, FactorRecord, Resync, Validated } from './factors/contract.ts';
import { type Judgement, judge, mayBeOtp, type Question } from './judge.ts';
import { afterVerified, afterWrong } from './policy/lockout.ts';
import type { AccountRecord, Store } from './store/contract.ts';
import { type Tokens, withMarks } from './tokens.ts';
import type { Validations } from './validations.ts';

/** What an answer is judged against: fresh records, and what policy allows of them. */
export interface Asking {
  readonly record: AccountRecord;
  readonly version: number;
  readonly realm: Realm;
  /** The factors that may be used. */
  readonly factors: readonly FactorRecord[];
  readonly tokens: Tokens;
  /** What servers said of this very answer. */
  readonly validated?: Validated;
  readonly codesLocked: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export function contextOf(realm: Realm, now: number, keyedHash: FactorContext['keyedHash']): FactorContext {
  return { now, skew: realm.totp.skew, keyedHash };
}

export function judgeAnswer(
  asking: Asking,
  answer: Buffer,
  where: 'whole' | 'tail',
  keyedHash: FactorContext['keyedHash'],
  resync: Resync | undefined,
): Judgement {
  const { validated } = asking;
  const context = {
    ...contextOf(asking.realm, asking.now, keyedHash),
    ...(validated === undefined ? {} : { validated }),
  };
  return judge({
    factors: asking.factors,
    answer,
    where,
    codesLocked: asking.codesLocked,
    context: resync === undefined ? context : { ...context, resync },
  });
}

/**
 * What an answer needs beside the account's record: the marks of YubiKeys, and what their servers say.
 * @returns undefined: it took a network's time, and all of it is to be decided again
 */
export async function madeReady(
  { store, validations }: { readonly store: Pick<Store, 'token'>; readonly validations: Validations },
  realm: Realm,
  question: Omit<Question, 'context'>,
): Promise<Pick<Asking, 'factors' | 'tokens' | 'validated'> | undefined> {
  const { waited, ...said } = await validations.of(realm.yubikey.servers, question);
  if (waited) return undefined;
  if (!mayBeOtp(question)) return { factors: question.factors, tokens: new Map() };
  return { ...(await withMarks(store, question.factors)), ...said };
}

/** The record once `factor` was accepted: its mark moved, the row of failures ended. */
export function spent(record: AccountRecord, factor: FactorRecord): AccountRecord {
  return {
    ...record,
    factors: record.factors.map((old) => (old.id === factor.id ? factor : old)),
    lock: afterVerified(record.lock, factor.kind),
  };
}

/** The record with one wrong answer more. */
export function counted(asking: Asking, judgement: Judgement & { outcome: 'refused' }): AccountRecord {
  const lock = afterWrong(asking.record.lock, judgement.countsAsCode, asking.realm.lockout, asking.now);
  return { ...asking.record, lock };
}
