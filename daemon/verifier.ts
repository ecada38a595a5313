import type { AuditEvent } from './audit/event.ts';
import { codeOf, messageOf, SallyportError, unreachable } from './errors.ts';
import { limits } from './limits.ts';
import type { LoginFacts } from './policy/contract.ts';
import { delayFor, lockedNow } from './policy/lockout.ts';
import { accept, acceptVerified } from './verifier/acceptance.ts';
import { createAdding } from './verifier/adding.ts';
import { type Asking, counted, judgeAnswer, madeReady } from './verifier/asking.ts';
import { type Assessment, Assessor } from './verifier/assessment.ts';
import type {
  AbandonReason,
  Opening,
  OpenLogin,
  Verdict,
  Verifier,
  VerifierOptions,
} from './verifier/contract.ts';
import { answerFirst, openFirst } from './verifier/first-enrolment.ts';
import { type Answer, type Judgement, mayBeAnAnswer } from './verifier/judge.ts';
import { Ledger, untilSettled } from './verifier/ledger.ts';
import { loginEvent, withLock } from './verifier/login-event.ts';
import { genericPrompt, promptFor, refusalText, successText } from './verifier/prompt.ts';
import { createProofs } from './verifier/proof.ts';
import type { Subject } from './verifier/subject.ts';
import { boundTo, keyOfferFor, ofThis } from './verifier/touches.ts';
import { createTurns, type InTurn } from './verifier/turns.ts';
import {
  countsNowhere,
  hasMoreThanCodes,
  onTheBeat,
  originOf,
  type Refusal,
  refused,
  whereOf,
} from './verifier/verdicts.ts';

export type { Clock } from './verifier/assessment.ts';
export type * from './verifier/contract.ts';

/**
 * The heart: account -> decision -> answer -> verdict -> one commit. MUST hold (design, rules 1 to 3, 6 to
 * 8, 10):
 * - an answer is judged against records read for it, and policy, lock and factor are decided again whenever
 *   the commit meets another one: what was decided at HELLO only chose the prompt;
 * - "accepted", or an opening with "success", is returned only after the one commit of acceptance.ts is durable;
 * - a commit that failed is never taken for "not spent": the error goes up and ends in SYSTEM_ERR;
 * - a login that is not proven learns nothing but yes or no, in the same time for every name;
 * - nothing is stored for a name that is no account.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const ledger = new Ledger(options.store, options.log);
  const inTurn = createTurns();
  const logins = new Logins(options, ledger, inTurn);
  const stood = { ...options, ledger, inTurn };
  return {
    open: (facts) => logins.open(facts),
    answer: (login, answer) => logins.answer(login, answer),
    abandon: (login, reason) => logins.abandon(login, reason),
    ...createProofs(stood),
    ...createAdding(stood),
  };
}

class Logins implements Pick<Verifier, 'open' | 'answer' | 'abandon'> {
  readonly #o: VerifierOptions;
  readonly #ledger: Ledger;
  readonly #assessor: Assessor;
  readonly #inTurn: InTurn;

  constructor(options: VerifierOptions, ledger: Ledger, inTurn: InTurn) {
    this.#o = options;
    this.#ledger = ledger;
    this.#assessor = new Assessor(options, ledger);
    this.#inTurn = inTurn;
  }

  async open(facts: LoginFacts): Promise<Opening> {
    if (!facts.proven) return { kind: 'ask', prompt: genericPrompt(facts.mode), login: { facts } };
    const subject = await this.#assessor.subjectOf(facts);
    if (subject === undefined) {
      this.#o.unknownNames.add(originOf(facts));
      return { kind: 'done', result: 'auth-err' };
    }
    const login = { facts, subject: { value: subject, at: this.#o.clock.monotonic() } };
    return untilSettled<Opening>(async () => {
      const assessed = await this.#assessor.assess(facts, subject);
      const { decision } = assessed;
      if (decision.kind === 'accept')
        return (await acceptVerified(this.#ledger, assessed, facts, decision))
          ? { kind: 'done', result: 'success' }
          : undefined;
      if (decision.kind === 'ask') {
        const prompt = promptFor(decision.factors, facts.mode, decision.codesLocked);
        const key = await keyOfferFor(decision, assessed, facts, this.#o);
        return {
          kind: 'ask',
          prompt,
          login: boundTo(login, key),
          ...(key === undefined ? {} : { key }),
          ...(decision.codesLocked ? { text: refusalText('codes-locked') } : {}),
        };
      }
      if (decision.kind === 'enrol') return openFirst(login, assessed, this.#o.config(), this.#o.randomness);
      if (!(await this.#assessor.settle(assessed, decision, facts))) return undefined;
      const result = decision.kind === 'not-needed' ? 'ignore' : decision.result;
      return { kind: 'done', result, ...(decision.text === undefined ? {} : { text: decision.text }) };
    });
  }

  async answer(login: OpenLogin, answer: Answer): Promise<Verdict> {
    const arrived = this.#o.clock.monotonic();
    try {
      if (login.facts.proven) return await this.#answerProven(login, answer);
      const verdict = await this.#answerUnproven(login, answer);
      return onTheBeat(verdict, this.#o.clock.monotonic() - arrived);
    } finally {
      if (Buffer.isBuffer(answer)) answer.fill(0);
    }
  }

  async abandon(login: OpenLogin, reason: AbandonReason): Promise<void> {
    if (!login.facts.proven || login.subject === undefined) return;
    const outcome = reason === 'denied' ? 'refused' : 'abandoned';
    const said = { outcome, reason, at: this.#o.clock.now() } as const;
    await this.#ledger.note(loginEvent(login.subject.value, login.facts, said));
  }

  async #answerProven(login: OpenLogin, answer: Answer): Promise<Verdict> {
    const subject = await this.#subject(login);
    if (subject === undefined) return refused(login, { result: 'auth-err' });
    return this.#settleAnswer(login, subject, answer);
  }

  /**
   * Every refusal looks the same, and ends the call: for names that are none sshd gives junk, and a second
   * prompt would tell. Where nothing is needed any answer will do, whatever its shape and the throttle.
   */
  async #answerUnproven(login: OpenLogin, answer: Answer): Promise<Verdict> {
    const { facts } = login;
    const name = facts.rootSocket ? facts.user : undefined;
    const origin = originOf(facts);
    const hasShape = Buffer.isBuffer(answer) && mayBeAnAnswer(answer, whereOf(facts));
    const mayTry = hasShape && this.#o.throttle.allows(name, origin);
    if (mayTry) this.#o.throttle.failed(name, origin);
    else if (hasShape) this.#o.throttled.add(origin);
    try {
      const verdict = await this.#answerOf(login, mayTry ? answer : undefined, origin);
      if (verdict?.kind === 'accepted') {
        if (mayTry) this.#o.throttle.forgive(name, origin);
        return verdict;
      }
    } catch (error) {
      this.#o.log.error('login-error', { code: codeOf(error), message: messageOf(error) });
      return refused(login, { result: 'system-err' });
    }
    return refused(login, { result: 'auth-err' });
  }

  /** @param answer undefined: nothing is judged, only whether anything is needed */
  async #answerOf(login: OpenLogin, answer: Answer | undefined, origin: string) {
    const { facts } = login;
    const subject = await this.#assessor.subjectOf(facts);
    if (subject === undefined) {
      this.#o.unknownNames.add(origin);
      return undefined;
    }
    if (!facts.rootSocket && subject.target.uid !== facts.peerUid) {
      // Only as often as the throttle lets through: nobody fills the trail of another.
      if (answer === undefined) return undefined;
      const said = { outcome: 'refused', reason: 'other-account', at: this.#o.clock.now() } as const;
      await this.#ledger.note(loginEvent(subject, facts, said));
      return undefined;
    }
    if (answer !== undefined) return this.#settleAnswer(login, subject, answer);
    return untilSettled(async () => {
      const assessed = await this.#assessor.assess(facts, subject);
      const isNeeded = assessed.decision.kind !== 'not-needed';
      return isNeeded ? refused(login, { result: 'auth-err' }) : this.#withoutFactor(login, assessed);
    });
  }

  #settleAnswer(login: OpenLogin, subject: Subject, answer: Answer): Promise<Verdict> {
    const account = (subject.holder ?? subject.target).name;
    const bound = ofThis(login, answer);
    return this.#inTurn(account, () => untilSettled(() => this.#tryAnswer(login, subject, bound)));
  }

  /** @returns undefined: the commit met another one; decide again */
  async #tryAnswer(login: OpenLogin, subject: Subject, answer: Answer): Promise<Verdict | undefined> {
    const assessed = await this.#assessor.assess(login.facts, subject);
    const { decision, versioned, realm, now } = assessed;
    if (login.enrolment !== undefined)
      return answerFirst({ ...this.#o, ledger: this.#ledger }, login, login.enrolment, assessed, answer);
    if (decision.kind !== 'ask') return this.#withoutFactor(login, assessed);
    const { value: record, version } = versioned;
    if (record === undefined || realm === undefined)
      throw new SallyportError('internal', 'a login is asked that has no record: a defect');
    const { factors, codesLocked } = decision;
    const ready = await madeReady(this.#o, realm, {
      factors,
      codesLocked,
      answer,
      where: whereOf(login.facts),
    });
    if (ready === undefined) return undefined;
    return this.#judge(login, assessed, { record, version, realm, ...ready, codesLocked, now }, answer);
  }

  /** What policy alone decides, now that there is an answer. */
  async #withoutFactor(login: OpenLogin, assessed: Assessment): Promise<Verdict | undefined> {
    const { decision } = assessed;
    if (decision.kind === 'ask') throw new SallyportError('internal', 'an answer was not judged: a defect');
    if (decision.kind === 'enrol')
      return refused(login, { result: 'auth-err', text: refusalText('no-factor') });
    if (decision.kind === 'accept')
      return (await acceptVerified(this.#ledger, assessed, login.facts, decision))
        ? { kind: 'accepted', result: 'success', strip: 0 }
        : undefined;
    if (!(await this.#assessor.settle(assessed, decision, login.facts))) return undefined;
    if (decision.kind === 'not-needed') return { kind: 'accepted', result: 'ignore', strip: 0 };
    return refused(login, { result: decision.result, text: decision.text });
  }

  async #judge(
    login: OpenLogin,
    assessed: Assessment,
    asking: Asking,
    answer: Answer,
  ): Promise<Verdict | undefined> {
    const { facts } = login;
    const where = whereOf(facts);
    const judgement = judgeAnswer(asking, answer, where, this.#o.keyedHash, login.resync);
    const refusal = (reason: string): AuditEvent =>
      loginEvent(assessed.subject, facts, {
        outcome: 'refused',
        reason,
        at: asking.now,
        realm: asking.realm.name,
      });
    switch (judgement.outcome) {
      case 'accepted': {
        const { factor, length } = judgement;
        if (!(await accept(this.#ledger, assessed, facts, factor, asking.tokens))) return undefined;
        const text = facts.proven ? successText(factor) : undefined;
        const strip = where === 'whole' ? 0 : length;
        return { kind: 'accepted', result: 'success', strip, ...(text === undefined ? {} : { text }) };
      }
      case 'no-shape':
        await this.#ledger.note(refusal('no-shape'));
        return refused(login, { result: 'auth-err', text: refusalText('no-shape') });
      case 'codes-locked':
        await this.#ledger.note(refusal('codes-locked'));
        return refused(login, {
          result: 'maxtries',
          again: hasMoreThanCodes(asking),
          text: refusalText('codes-locked'),
        });
      case 'refused':
        return this.#wrongAnswer(login, asking, judgement, refusal(judgement.reason));
      default:
        return unreachable(judgement);
    }
  }

  /** Failures of proven logins count in the store; those of others in the throttle alone. */
  async #wrongAnswer(
    login: OpenLogin,
    asking: Asking,
    judgement: Judgement & { outcome: 'refused' },
    event: AuditEvent,
  ): Promise<Refusal | undefined> {
    const { resync: _, ...rest } = login;
    const next = judgement.resync === undefined ? rest : { ...rest, resync: judgement.resync };
    if (!login.facts.proven || countsNowhere(judgement)) {
      await this.#ledger.note(event);
      return refused(next, { result: 'auth-err', again: true, text: refusalText(judgement.reason) });
    }
    const record = counted(asking, judgement);
    const told = withLock(event, asking.record.lock, record.lock);
    if (!(await this.#ledger.change(asking, record, told))) return undefined;
    const locked = lockedNow(record.lock, asking.realm.lockout, asking.now);
    const isOver = locked === 'all' || (locked === 'codes' && !hasMoreThanCodes(asking));
    const reasons = { none: judgement.reason, codes: 'codes-locked', all: 'locked' } as const;
    return refused(next, {
      result: isOver ? 'maxtries' : 'auth-err',
      again: !isOver,
      text: refusalText(reasons[locked]),
      delay: delayFor(record.lock.any),
    });
  }

  /** The account as NSS said it at HELLO; asked again when the answer was long in coming. */
  async #subject(login: OpenLogin): Promise<Subject | undefined> {
    const { subject, facts } = login;
    if (subject !== undefined && this.#o.clock.monotonic() - subject.at < limits.lookupAge)
      return subject.value;
    return this.#assessor.subjectOf(facts);
  }
}
