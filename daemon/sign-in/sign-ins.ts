import { type Caller, serviceOf } from '../api/access.ts';
import type { SignInAnswerBody, SignInBody, SignInStep, SignInView } from '../api/sign-in-views.ts';
import { assertionOf } from '../authenticators/approvals.ts';
import { keyOptions } from '../ceremonies/webauthn-options.ts';
import type { Answer } from '../factors/answers/answer-format.ts';
import type { Account, HostFacts } from '../host/contract.ts';
import { SallyportError } from '../lib/errors.ts';
import { canonicalAddress } from '../lib/network.ts';
import type { Randomness } from '../lib/randomness.ts';
import { limits } from '../limits.ts';
import { named } from '../login/facts.ts';
import type { LoginFacts } from '../policy/contract.ts';
import type { AbandonReason, KeyOption, Opening, OpenLogin, Verifier } from '../verifier/contract.ts';
import type { Person, Tokens } from './access-tokens.ts';
import { type First, mayAddFirst } from './first-factor.ts';
import {
  createFirstFactorLimit,
  type FirstFactorLimitOptions,
  type Passed,
  refused,
} from './first-factor-limit.ts';
import { createPacedChecks, type PacedChecks } from './paced-checks.ts';

/** Exchanges a password (or its replacement) and a factor for an access token. */
export interface SignIns {
  /**
   * @param token of the session that is confirmed
   * @throws SallyportError `sign-in-refused`, `password-needed`, `password-unavailable`, `not-permitted`
   */
  begin(caller: Caller, body: SignInBody, token?: string): Promise<SignInView>;
  /**
   * @param ended aborted with the request: there is no browser left to sign in, and the answer is not consumed
   * @throws SallyportError `sign-in-refused`, `no-such-sign-in`
   */
  answer(caller: Caller, id: string, body: SignInAnswerBody, ended?: AbortSignal): Promise<SignInView>;
  close(): void;
}

export interface SignInOptions extends Omit<FirstFactorLimitOptions, 'tokens' | 'checks'> {
  readonly verifier: Pick<Verifier, 'open' | 'answer' | 'abandon'>;
  readonly tokens: Tokens;
  readonly checks?: PacedChecks;
  readonly randomness: Pick<Randomness, 'bytes'>;
  /** The machine of the callers. */
  readonly host: HostFacts;
}

interface SignIn {
  readonly id: string;
  readonly caller: Caller;
  readonly person: Person;
  readonly by: SignInBody['by'];
  readonly passed: Passed;
  readonly offer: KeyOption | undefined;
  /** What can be typed; undefined if nothing. */
  readonly typed: string | undefined;
  readonly challenge: string;
  readonly rpId: string;
  login: OpenLogin;
  answers: number;
  /** Answers that the verifier has not evaluated yet. */
  evaluating: number;
  readonly timer: NodeJS.Timeout;
}

/**
 * Invariants:
 * - the first factor is verified first, by first-factor-gate.ts, and only then is anything read or opened;
 * - the factor is asked for by the realm's policy, verified and counted as in any login; once the request has ended, no
 *   answer is accepted;
 * - a token without a factor is issued only if policy needs none, or to an account without any factor whose realm, or
 *   an invite, allows adding the first one;
 * - no party uses up the slots of others.
 */
export function createSignIns(options: SignInOptions): SignIns {
  return new OpenSignIns(options);
}

/** Who it is, and how that was settled. */
type Begun = Pick<SignIn, 'person' | 'by' | 'caller' | 'passed'>;

class OpenSignIns implements SignIns {
  readonly #o: SignInOptions;
  readonly #gate: ReturnType<typeof createFirstFactorLimit>;
  readonly #running = new Map<string, SignIn>();

  constructor(options: SignInOptions) {
    const checks = options.checks ?? createPacedChecks({ monotonic: () => performance.now() });
    this.#o = options;
    this.#gate = createFirstFactorLimit({ ...options, checks });
  }

  async begin(...[caller, body, shown]: Parameters<SignIns['begin']>): ReturnType<SignIns['begin']> {
    const passed = await this.#gate.pass(caller, body, shown);
    const { account, invited, source } = passed;
    const person = { account: account.name, uid: account.uid };
    const begun = { person, by: body.by, caller, passed };
    const facts = factsFor(account, source, caller, this.#o.host);
    const first = await mayAddFirst(this.#o, account, facts, invited);
    if (first !== undefined) return { id: '', step: await this.#doneBy(begun, { first }) };
    const opening = await this.#o.verifier.open(facts, this.#o.host);
    if (opening.kind === 'done') {
      if (opening.result === 'ignore') return { id: '', step: await this.#doneBy(begun) };
      throw refused(opening.text);
    }
    const signIn = this.#hold(begun, opening);
    return { id: signIn.id, step: factorStep(signIn, opening.text) };
  }

  async answer(...[caller, id, body, ended]: Parameters<SignIns['answer']>): ReturnType<SignIns['answer']> {
    const signIn = this.#running.get(id);
    const isOpen = signIn?.caller.uid === caller.uid && signIn.answers < limits.answersPerCall;
    if (signIn === undefined || !isOpen)
      throw new SallyportError('no-such-sign-in', 'the sign-in has ended; start again');
    signIn.answers += 1;
    signIn.evaluating += 1;
    const verdict = await this.#o.verifier
      .answer(signIn.login, answerOf(body, signIn, this.#o), ended)
      .finally(() => {
        signIn.evaluating -= 1;
      });
    if (verdict.kind === 'accepted') {
      this.#end(signIn);
      return { id: '', step: await this.#doneBy(signIn, verdict) };
    }
    if (verdict.kind === 'next') throw new SallyportError('internal', 'a sign-in cannot add a first factor');
    await pause(verdict.delay);
    signIn.login = verdict.login;
    const isOver = !verdict.again || signIn.answers >= limits.answersPerCall;
    if (isOver) this.#end(signIn);
    if (isOver) throw refused(verdict.text);
    return { id, step: factorStep(signIn, verdict.text) };
  }

  close(): void {
    for (const signIn of this.#running.values()) this.#end(signIn);
  }

  /** Keeps a sign-in that waits for a factor, for a while. */
  #hold(begun: Begun, opening: Extract<Opening, { kind: 'ask' }>): SignIn {
    this.#makeRoom(begun.person.uid);
    const id = this.#o.randomness.bytes(16).toString('base64url');
    const challenge = this.#o.randomness.bytes(32).toString('base64url');
    const timer = setTimeout(() => this.#abandon(signIn, 'timed-out'), limits.signInDeadline).unref();
    const signIn: SignIn = {
      id,
      ...begun,
      offer: opening.key,
      typed: opening.key === undefined ? opening.prompt.replace(/: $/, '') : opening.key.typed,
      challenge,
      rpId: this.#o.configuration.current().webauthn?.rpId ?? '',
      login: opening.login,
      answers: 0,
      evaluating: 0,
      timer,
    };
    this.#running.set(id, signIn);
    return signIn;
  }

  #end(signIn: SignIn): void {
    clearTimeout(signIn.timer);
    this.#running.delete(signIn.id);
  }

  /** One account has a few slots: its oldest sign-in is ended. */
  #makeRoom(uid: number): void {
    const own = [...this.#running.values()].filter(({ person }) => person.uid === uid);
    for (const oldest of own.slice(0, Math.max(0, own.length - limits.signInsPerAccount + 1)))
      this.#abandon(oldest, 'cancelled');
    if (this.#running.size >= limits.signIns)
      throw refused('Too many users are signing in. Try again shortly.');
  }

  #abandon(signIn: SignIn, reason: AbandonReason): void {
    this.#end(signIn);
    // An answer in evaluation gets its own event.
    if (signIn.evaluating === 0) this.#o.verifier.abandon(signIn.login, reason).catch(() => undefined);
  }

  async #doneBy(
    { person, by, caller, passed }: Begun,
    { text, first }: { readonly text?: string | undefined; readonly first?: First } = {},
  ): Promise<SignInStep> {
    this.#gate.completed(passed);
    if (by === 'uid') {
      const made = this.#o.links.make(person, caller.root);
      const [origin] = this.#o.configuration.current().portal?.origins ?? [];
      const url = origin === undefined ? {} : { url: `${origin}/sign-in#link=${made.link}` };
      return { kind: 'link', ...made, ...url };
    }
    const view = await this.#o.tokens.view(person);
    const onlyOwn = first?.onlyOwn === true;
    return {
      kind: 'done',
      person: { ...view, admin: view.admin && !onlyOwn },
      token: this.#o.tokens.give(person, onlyOwn),
      ...(text === undefined ? {} : { text }),
    };
  }
}

function factsFor(account: Account, source: string | undefined, caller: Caller, host: HostFacts): LoginFacts {
  const address = source === undefined ? undefined : canonicalAddress(source);
  return {
    ...named(host),
    service: serviceOf(caller),
    user: account.name,
    ...(source === undefined ? {} : { rhost: source }),
    ...(address === undefined ? {} : { source: address }),
    bootId: host.bootId,
    realUid: account.uid,
    peerUid: caller.uid,
    firstFactorVerified: true,
    rootSocket: true,
    local: false,
    // Other callers have no page for an approval, which would wait in vain.
    browser: true,
    mode: 'prompt',
  };
}

function factorStep({ offer, typed, challenge, rpId }: SignIn, text: string | undefined): SignInStep {
  return {
    kind: 'factor',
    ...(typed === undefined ? {} : { typed }),
    ...(offer?.place === 'page' ? { key: keyOptions(offer.question, challenge, rpId) } : {}),
    ...(text === undefined ? {} : { text }),
  };
}

function answerOf(body: SignInAnswerBody, { challenge }: SignIn, options: SignInOptions): Answer {
  if (body.kind === 'typed') return Buffer.from(body.answer);
  return assertionOf(body, challenge, options.configuration.current().portal?.origins ?? []);
}

function pause(ms: number): Promise<void> {
  return ms <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
}
