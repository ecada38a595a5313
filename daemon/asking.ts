import type { Realm } from './config/contract.ts';
import type { FactorContext, FactorRecord, Resync } from './factors/contract.ts';
import { type Judgement, judge } from './judge.ts';
import { afterVerified, afterWrong } from './policy/lockout.ts';
import type { AccountRecord } from './store/contract.ts';
import type { Marked } from './tokens.ts';

/** What an answer is judged against: fresh records, and what policy allows of them. */
export interface Asking {
  readonly record: AccountRecord;
  readonly version: number;
  readonly realm: Realm;
  /** The factors that may be used. */
  readonly factors: readonly FactorRecord[];
  /** Versions of the records of their tokens. */
  readonly tokens: Marked['tokens'];
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
  const context = contextOf(asking.realm, asking.now, keyedHash);
  return judge({
    factors: asking.factors,
    answer,
    where,
    codesLocked: asking.codesLocked,
    context: resync === undefined ? context : { ...context, resync },
  });
}

/** The record once `factor` was accepted: its mark moved, the row of failures ended. */
export function spent(asking: Asking, factor: FactorRecord): AccountRecord {
  return {
    ...asking.record,
    factors: asking.record.factors.map((old) => (old.id === factor.id ? factor : old)),
    lock: afterVerified(asking.record.lock, factor.kind),
  };
}

/** The record with one wrong answer more. */
export function counted(asking: Asking, judgement: Judgement & { outcome: 'refused' }): AccountRecord {
  const lock = afterWrong(asking.record.lock, judgement.countsAsCode, asking.realm.lockout, asking.now);
  return { ...asking.record, lock };
}
