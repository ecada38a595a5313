import type { Answer } from '../factors/answers/answer-format.ts';
import { codeOf, messageOf } from '../lib/errors.ts';
import type { LoginFacts } from '../policy/contract.ts';
import type { Answering, AnsweringOptions } from './answering.ts';
import { retryOnConflict } from './audited-store.ts';
import type { OpenLogin, Verdict } from './contract.ts';
import { mayBeAnAnswer, mayBeAnOtp, whereOf } from './evaluate-answer.ts';
import { loginEvent } from './events.ts';
import { eventOriginOf, logPartyOf, originOf, refused } from './refusal-rules.ts';
import { createResponsePadding, type ResponsePadding } from './response-padding.ts';

export interface UnverifiedLoginsOptions extends AnsweringOptions {
  readonly answering: Answering;
}

/**
 * The answers of logins whose first factor is not verified.
 *
 * Invariant: such a login learns only yes or no, in the same time for every name.
 */
export class UnverifiedLogins {
  readonly #o: UnverifiedLoginsOptions;
  readonly #beat: ResponsePadding;

  constructor(options: UnverifiedLoginsOptions) {
    this.#o = options;
    this.#beat = createResponsePadding(options.clock.monotonic);
  }

  async answer(login: OpenLogin, answer: Answer, ended?: AbortSignal): Promise<Verdict> {
    const arrived = this.#o.clock.monotonic();
    const mayAsk = this.#mayAskServers(login.facts, answer);
    const verdict = await this.#evenly(login, answer, ended);
    return this.#beat.hold(verdict, this.#o.clock.monotonic() - arrived, mayAsk);
  }

  /** Independent of the account: the same for every name. */
  #mayAskServers(facts: LoginFacts, answer: Answer): boolean {
    const hasServers = this.#o.config().realms.some(({ yubikey }) => yubikey.servers !== undefined);
    return hasServers && Buffer.isBuffer(answer) && mayBeAnOtp(answer, whereOf(facts));
  }

  /**
   * Every refusal looks the same and ends the call: sshd sends junk for unknown names, and a second prompt would
   * reveal that. Where no factor is needed any answer is accepted, whatever its format and the rate limiter.
   */
  async #evenly(login: OpenLogin, answer: Answer, ended?: AbortSignal): Promise<Verdict> {
    const { facts } = login;
    const name = facts.rootSocket ? facts.user : undefined;
    const origin = originOf(facts);
    const hasFormat = Buffer.isBuffer(answer) && mayBeAnAnswer(answer, whereOf(facts));
    const mayTry = hasFormat && this.#o.rateLimiter.allows(name, origin);
    if (mayTry) this.#o.rateLimiter.failed(name, origin);
    else if (hasFormat) this.#o.rateLimited.add(origin);
    try {
      const verdict = await this.#answerOf(login, mayTry ? answer : undefined, origin, ended);
      if (verdict?.kind === 'accepted') {
        if (mayTry) this.#o.rateLimiter.forgive(name, origin);
        return verdict;
      }
      // It guessed nothing: an attacker who saw the code cannot use up the attempts of the name with it.
      if (mayTry && verdict?.kind === 'refused' && verdict.repeats) this.#o.rateLimiter.forgive(name, origin);
    } catch (error) {
      const said = { ...logPartyOf(facts), code: codeOf(error), message: messageOf(error) };
      this.#o.log.error('login-error', said);
      return refused(login, { result: 'system-err' });
    }
    return refused(login, { result: 'auth-err' });
  }

  /** @param answer undefined: only evaluates whether a factor is needed */
  async #answerOf(login: OpenLogin, answer: Answer | undefined, origin: string, ended?: AbortSignal) {
    const { facts } = login;
    const subject = await this.#o.assessor.subjectOf(login);
    if (subject === undefined) {
      this.#o.unknownNames.add(origin);
      return undefined;
    }
    if (!facts.rootSocket && subject.target.uid !== facts.peerUid) {
      // Only as often as the rate limiter allows: no user fills the audit trail of another.
      if (answer === undefined) return undefined;
      const said = { outcome: 'refused', reason: 'other-account', at: this.#o.clock.now() } as const;
      await this.#o.auditedStore.note(loginEvent(subject, facts, said), { origin: eventOriginOf(facts) });
      return undefined;
    }
    if (answer !== undefined) return this.#o.answering.settle(login, subject, answer, ended);
    return retryOnConflict(async () => {
      const assessed = await this.#o.assessor.assess(facts, subject);
      const isNeeded = assessed.decision.kind !== 'not-needed';
      return isNeeded
        ? refused(login, { result: 'auth-err' })
        : this.#o.answering.withoutFactor(login, assessed);
    });
  }
}
