import type { Answer } from '../factors/answers/answer-format.ts';
import type { HostFacts } from '../host/contract.ts';
import { codeOf, messageOf } from '../lib/errors.ts';
import { limits } from '../limits.ts';
import type { LoginFacts } from '../policy/contract.ts';
import { acceptVerified } from './accept-login.ts';
import { Answering } from './answering.ts';
import { Assessor } from './assessment.ts';
import { type AuditedStore, retryOnConflict } from './audited-store.ts';
import type { AbandonReason, Opening, OpenLogin, Verdict, Verifier, VerifierOptions } from './contract.ts';
import { mayBeAnAnswer, mayBeAnOtp } from './evaluate-answer.ts';
import { loginEvent } from './events.ts';
import { boundTo, keyOptionFor } from './key-offer.ts';
import type { LoginAccounts } from './login-accounts.ts';
import { openFirst } from './login-enrolment.ts';
import { genericPrompt, promptFor, refusalText } from './prompt-texts.ts';
import { eventOriginOf, logPartyOf, originOf, refused, whereOf } from './refusal-rules.ts';
import { createResponsePadding, type ResponsePadding } from './response-padding.ts';
import type { CodeVerificationOptions } from './verify-code.ts';

export type * from './contract.ts';

/**
 * Account → decision → answer → verdict → one commit.
 *
 * Invariants (docs/design.md, rules 1 to 3, 6 to 8, 10):
 * - an answer is evaluated against records that were read for it, and on a conflict policy, lockout and factor are
 *   decided again: the decision at HELLO only chose the prompt;
 * - "accepted", or an opening with "success", is returned only after the one commit of accept-login.ts is durable;
 * - a failed commit never means "not used": the error propagates and ends in SYSTEM_ERR;
 * - an unverified login learns only yes or no, in the same time for every name;
 * - nothing is stored for a name that is not an account.
 */
export function createLogins(options: CodeVerificationOptions): LoginVerifier {
  const logins = new Logins(options);
  return {
    open: (facts, host) => logins.open(facts, host),
    answer: (login, answer, ended) => logins.answer(login, answer, ended),
    abandon: (login, reason) => logins.abandon(login, reason),
  };
}

type LoginVerifier = Pick<Verifier, 'open' | 'answer' | 'abandon'>;

class Logins implements LoginVerifier {
  readonly #o: VerifierOptions;
  readonly #auditedStore: AuditedStore;
  readonly #assessor: Assessor;
  readonly #answering: Answering;
  readonly #beat: ResponsePadding;

  constructor(options: CodeVerificationOptions) {
    const { auditedStore } = options;
    this.#o = options;
    this.#auditedStore = auditedStore;
    this.#beat = createResponsePadding(options.clock.monotonic);
    this.#assessor = new Assessor(options, auditedStore);
    this.#answering = new Answering({ ...options, assessor: this.#assessor });
  }

  async open(facts: LoginFacts, host: HostFacts): Promise<Opening> {
    if (!facts.firstFactorVerified)
      return { kind: 'ask', prompt: genericPrompt(facts.mode), login: { facts, host } };
    const subject = await this.#assessor.subjectOf({ facts, host });
    if (subject === undefined) {
      this.#o.unknownNames.add(originOf(facts));
      return { kind: 'done', result: 'auth-err' };
    }
    const login = { facts, host, subject: { value: subject, at: this.#o.clock.monotonic() } };
    return retryOnConflict<Opening>(async () => {
      const assessed = await this.#assessor.assess(facts, subject);
      const { decision } = assessed;
      if (decision.kind === 'accept')
        return (await acceptVerified(this.#auditedStore, assessed, facts, decision))
          ? { kind: 'done', result: 'success' }
          : undefined;
      if (decision.kind === 'ask') {
        const prompt = promptFor(decision.factors, facts.mode, decision.codesLocked);
        const key = await keyOptionFor(decision, assessed, login, this.#o);
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

  async answer(login: OpenLogin, answer: Answer, ended?: AbortSignal): Promise<Verdict> {
    const arrived = this.#o.clock.monotonic();
    const mayAsk = this.#mayAskServers(login.facts, answer);
    try {
      if (login.facts.firstFactorVerified) return await this.#answerVerified(login, answer, ended);
      const verdict = await this.#answerUnverified(login, answer, ended);
      return this.#beat.hold(verdict, this.#o.clock.monotonic() - arrived, mayAsk);
    } finally {
      if (Buffer.isBuffer(answer)) answer.fill(0);
    }
  }

  /** Independent of the account: the same for every name. */
  #mayAskServers(facts: LoginFacts, answer: Answer): boolean {
    const hasServers = this.#o.config().realms.some(({ yubikey }) => yubikey.servers !== undefined);
    return hasServers && Buffer.isBuffer(answer) && mayBeAnOtp(answer, whereOf(facts));
  }

  async abandon(login: OpenLogin, reason: AbandonReason): Promise<void> {
    if (!login.facts.firstFactorVerified || login.subject === undefined) return;
    const outcome = reason === 'denied' ? 'refused' : 'abandoned';
    const said = { outcome, reason, at: this.#o.clock.now() } as const;
    await this.#auditedStore.note(loginEvent(login.subject.value, login.facts, said));
  }

  async #answerVerified(login: OpenLogin, answer: Answer, ended?: AbortSignal): Promise<Verdict> {
    const subject = await this.#subject(login);
    if (subject === undefined) return refused(login, { result: 'auth-err' });
    return this.#answering.settle(login, subject, answer, ended);
  }

  /**
   * Every refusal looks the same and ends the call: sshd sends junk for unknown names, and a second prompt would
   * reveal that. Where no factor is needed any answer is accepted, whatever its format and the rate limiter.
   */
  async #answerUnverified(login: OpenLogin, answer: Answer, ended?: AbortSignal): Promise<Verdict> {
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
    const subject = await this.#assessor.subjectOf(login);
    if (subject === undefined) {
      this.#o.unknownNames.add(origin);
      return undefined;
    }
    if (!facts.rootSocket && subject.target.uid !== facts.peerUid) {
      // Only as often as the rate limiter allows: no user fills the audit trail of another.
      if (answer === undefined) return undefined;
      const said = { outcome: 'refused', reason: 'other-account', at: this.#o.clock.now() } as const;
      await this.#auditedStore.note(loginEvent(subject, facts, said), { origin: eventOriginOf(facts) });
      return undefined;
    }
    if (answer !== undefined) return this.#answering.settle(login, subject, answer, ended);
    return retryOnConflict(async () => {
      const assessed = await this.#assessor.assess(facts, subject);
      const isNeeded = assessed.decision.kind !== 'not-needed';
      return isNeeded
        ? refused(login, { result: 'auth-err' })
        : this.#answering.withoutFactor(login, assessed);
    });
  }

  /** The account as NSS reported it at HELLO; read again if the answer took long. */
  async #subject(login: OpenLogin): Promise<LoginAccounts | undefined> {
    const { subject } = login;
    if (subject !== undefined && this.#o.clock.monotonic() - subject.at < limits.lookupAge)
      return subject.value;
    return this.#assessor.subjectOf(login);
  }
}
