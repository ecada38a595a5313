import type { AuditEvent } from '../audit/event.ts';
import type { Answer } from '../factors/answers/answer-format.ts';
import { type AccountMutex, Outside, settled } from '../lib/account-mutex.ts';
import { SallyportError, unreachable } from '../lib/errors.ts';
import { delayFor, lockoutAt } from '../policy/lockout.ts';
import { accept, acceptVerified } from './accept-login.ts';
import {
  type AnswerContext,
  afterFailedAnswer,
  evaluateLoginAnswer,
  prepareAnswer,
} from './answer-context.ts';
import type { Assessment, Assessor } from './assessment.ts';
import { type AuditedStore, retryOnConflict } from './audited-store.ts';
import type { LoginAccounts, OpenLogin, Verdict, VerifierOptions } from './contract.ts';
import { type Evaluation, whereOf } from './evaluate-answer.ts';
import { loginEvent, withLock, withOffset } from './events.ts';
import { ofThis } from './key-offer.ts';
import { answerFirst } from './login-enrolment.ts';
import { successText } from './prompt-texts.ts';
import {
  eventOriginOf,
  hasMoreThanCodes,
  isUncounted,
  originOf,
  type Refusal,
  refused,
  withoutFormat,
} from './refusal-rules.ts';
import { refusalText, uncountedText, wrongText } from './refusal-texts.ts';
import { acceptedAnswer } from './replay.ts';

export interface AnsweringOptions extends VerifierOptions {
  readonly auditedStore: AuditedStore;
  readonly assessor: Assessor;
  readonly accountMutex: AccountMutex;
}

/** One answer of one login. */
interface Given {
  readonly login: OpenLogin;
  readonly subject: LoginAccounts;
  readonly answer: Answer;
  /** The owner of the factors. */
  readonly account: string;
  readonly ended: AbortSignal | undefined;
}

/**
 * Answer → evaluation → one commit.
 *
 * Invariants:
 * - answers for one account whose first factor is verified are handled one at a time; an unverified login never
 *   waits for the account's mutex nor holds it: the rate limiter bounds how many of them are evaluated;
 * - while the mutex is held, only the store is awaited: servers and signatures are asked before, and everything is
 *   decided again afterwards;
 * - a call that has ended lets no login in and consumes nothing, unless its commit was already under way; its wrong
 *   answer still counts.
 */
export class Answering {
  readonly #o: AnsweringOptions;

  constructor(options: AnsweringOptions) {
    this.#o = options;
  }

  /** @param ended aborted once the call is over; no answer lets the login in after that */
  settle(login: OpenLogin, subject: LoginAccounts, given: Answer, ended?: AbortSignal): Promise<Verdict> {
    const account = (subject.holder ?? subject.target).name;
    const answer = Buffer.isBuffer(given) ? given : ofThis(login, given);
    const work = () => retryOnConflict(() => this.#tryAnswer({ login, subject, answer, account, ended }));
    return settled(
      work,
      login.facts.firstFactorVerified ? (once) => this.#o.accountMutex(account, once) : undefined,
    );
  }

  /** @returns undefined if another commit came first; decide again */
  async #tryAnswer(given: Given): Promise<Verdict | Outside | undefined> {
    const { login, subject, answer, account, ended } = given;
    const assessed = await this.#o.assessor.assess(login.facts, subject);
    const { decision, versioned, realm, now } = assessed;
    if (login.enrolment !== undefined) return answerFirst(this.#o, login, login.enrolment, assessed, answer);
    if (decision.kind !== 'ask') return this.withoutFactor(login, assessed);
    const { value: record, version } = versioned;
    if (record === undefined || realm === undefined)
      throw new SallyportError('internal', 'internal error: no record for the login; please report this');
    const { factors, codesLocked } = decision;
    const asker = {
      account,
      ...(login.facts.firstFactorVerified ? {} : { unverified: originOf(login.facts) }),
      ...(ended === undefined ? {} : { ended }),
    };
    const question = { factors, codesLocked, answer, where: whereOf(login.facts) };
    const ready = await prepareAnswer(this.#o, realm, question, asker);
    if (ready instanceof Outside) return ready;
    const answerContext = {
      record,
      version,
      realm,
      ...ready,
      codesLocked,
      firstFactorVerified: login.facts.firstFactorVerified,
      now,
    };
    return this.#evaluate(given, assessed, answerContext);
  }

  /** What policy decides without the factor, once an answer has come. */
  async withoutFactor(login: OpenLogin, assessed: Assessment): Promise<Verdict | undefined> {
    const { decision } = assessed;
    if (decision.kind === 'ask')
      throw new SallyportError('internal', 'internal error: an answer was not evaluated; please report this');
    if (decision.kind === 'enrol')
      return refused(login, { result: 'auth-err', text: refusalText('no-factor') });
    if (decision.kind === 'accept')
      return (await acceptVerified(this.#o.auditedStore, assessed, login.facts, decision))
        ? { kind: 'accepted', result: 'success', strip: 0 }
        : undefined;
    if (!(await this.#o.assessor.settle(assessed, decision, login.facts))) return undefined;
    if (decision.kind === 'not-needed') return { kind: 'accepted', result: 'ignore', strip: 0 };
    return refused(login, { result: decision.result, text: decision.text });
  }

  async #evaluate(
    { login, answer, ended }: Given,
    assessed: Assessment,
    answerContext: AnswerContext,
  ): Promise<Verdict | undefined> {
    const { facts } = login;
    const where = whereOf(facts);
    const evaluation = evaluateLoginAnswer(answerContext, answer, where, this.#o.keyedHash, login.resync);
    const refusal = (reason: string): AuditEvent =>
      loginEvent(assessed.subject, facts, {
        outcome: 'refused',
        reason,
        at: answerContext.now,
        realm: answerContext.realm.name,
      });
    switch (evaluation.outcome) {
      case 'accepted': {
        const { factor, length, format } = evaluation;
        if (ended?.aborted === true) return this.#tooLate(login, assessed, ended);
        const { record, realm, now, tokens } = answerContext;
        const accepted = acceptedAnswer(format, record.account, factor, realm, now);
        if (!(await accept(this.#o.auditedStore, assessed, facts, evaluation, tokens, accepted)))
          return undefined;
        const text = facts.firstFactorVerified ? successText(factor) : undefined;
        const strip = where === 'whole' ? 0 : length;
        return { kind: 'accepted', result: 'success', strip, ...(text === undefined ? {} : { text }) };
      }
      case 'unknown-format':
        await this.#o.auditedStore.note(refusal('unknown-format'), { origin: eventOriginOf(facts) });
        return withoutFormat(login, answer, evaluation.layouts);
      case 'codes-locked':
        await this.#o.auditedStore.note(refusal('codes-locked'), { origin: eventOriginOf(facts) });
        return refused(login, {
          result: 'maxtries',
          again: hasMoreThanCodes(answerContext),
          text: refusalText('codes-locked'),
        });
      case 'refused':
        return this.#wrongAnswer(
          login,
          answerContext,
          evaluation,
          withOffset(refusal(evaluation.reason), evaluation),
        );
      default:
        return unreachable(evaluation);
    }
  }

  /** Failures of verified logins count in the store; those of others only in the rate limiter. */
  async #wrongAnswer(
    login: OpenLogin,
    answerContext: AnswerContext,
    evaluation: Evaluation & { outcome: 'refused' },
    event: AuditEvent,
  ): Promise<Refusal | undefined> {
    const { resync: _, ...rest } = login;
    const next = evaluation.resync === undefined ? rest : { ...rest, resync: evaluation.resync };
    if (!login.facts.firstFactorVerified || isUncounted(evaluation)) {
      await this.#o.auditedStore.note(event, { origin: eventOriginOf(login.facts) });
      return refused(next, {
        result: 'auth-err',
        again: true,
        text: uncountedText(evaluation, answerContext.now),
        ...(evaluation.repeats === undefined ? {} : { repeats: true }),
      });
    }
    const record = afterFailedAnswer(answerContext, evaluation);
    const locking = withLock(event, answerContext.record.lock, record.lock);
    if (!(await this.#o.auditedStore.change(answerContext, record, locking))) return undefined;
    const locked = lockoutAt(record.lock, answerContext.realm.lockout, answerContext.now);
    const isOver = locked === 'all' || (locked === 'codes' && !hasMoreThanCodes(answerContext));
    const reasons = { none: evaluation.reason, codes: 'codes-locked', all: 'locked' } as const;
    return refused(next, {
      result: isOver ? 'maxtries' : 'auth-err',
      again: !isOver,
      text: locked === 'none' ? wrongText(evaluation) : refusalText(reasons[locked]),
      delay: delayFor(record.lock.any),
    });
  }

  /** The call has ended, so the answer is not consumed. */
  async #tooLate(login: OpenLogin, assessed: Assessment, ended: AbortSignal): Promise<Refusal> {
    const { subject, now, decision } = assessed;
    const reason = ended.reason === 'timed-out' ? 'timed-out' : 'disconnected';
    const said = { outcome: 'abandoned', reason, at: now, realm: decision.realm } as const;
    await this.#o.auditedStore.note(loginEvent(subject, login.facts, said), {
      origin: eventOriginOf(login.facts),
    });
    return refused(login, { result: 'auth-err' });
  }
}
