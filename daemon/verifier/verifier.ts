import type { Answer } from '../factors/answers/answer-format.ts';
import { credentialOf } from '../factors/kinds.ts';
import type { HostFacts } from '../host/contract.ts';
import { limits } from '../limits.ts';
import type { LoginFacts } from '../policy/contract.ts';
import { acceptVerified } from './accept-login.ts';
import { Answering } from './answering.ts';
import { Assessor } from './assessment.ts';
import { type AuditedStore, retryOnConflict } from './audited-store.ts';
import type {
  AbandonReason,
  LoginAccounts,
  Opening,
  OpenLogin,
  Verdict,
  Verifier,
  VerifierOptions,
} from './contract.ts';
import { loginEvent } from './events.ts';
import { boundTo, keyOptionFor } from './key-offer.ts';
import { openFirst } from './login-enrolment.ts';
import { genericPrompt, promptFor } from './prompt-texts.ts';
import { originOf, refused } from './refusal-rules.ts';
import { refusalText } from './refusal-texts.ts';
import { UnverifiedLogins } from './unverified-logins.ts';
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
  readonly #unverified: UnverifiedLogins;

  constructor(options: CodeVerificationOptions) {
    const { auditedStore } = options;
    this.#o = options;
    this.#auditedStore = auditedStore;
    this.#assessor = new Assessor(options, auditedStore);
    this.#answering = new Answering({ ...options, assessor: this.#assessor });
    this.#unverified = new UnverifiedLogins({
      ...options,
      assessor: this.#assessor,
      answering: this.#answering,
    });
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
        const hasKey = decision.factors.some((factor) => credentialOf(factor) !== undefined);
        const key = hasKey ? await keyOptionFor(decision, assessed, login, this.#o) : undefined;
        return {
          kind: 'ask',
          prompt,
          ...(key === undefined ? { login } : { login: boundTo(login, key), key }),
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
    try {
      return login.facts.firstFactorVerified
        ? await this.#answerVerified(login, answer, ended)
        : await this.#unverified.answer(login, answer, ended);
    } finally {
      if (Buffer.isBuffer(answer)) answer.fill(0);
    }
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

  /** The account as NSS reported it at HELLO; read again if the answer took long. */
  async #subject(login: OpenLogin): Promise<LoginAccounts | undefined> {
    const { subject } = login;
    if (subject !== undefined && this.#o.clock.monotonic() - subject.at < limits.lookupAge)
      return subject.value;
    return this.#assessor.subjectOf(login);
  }
}
