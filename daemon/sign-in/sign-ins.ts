import { type Caller, serviceOf } from '../api/access.ts';
import type { SignInAnswerBody, SignInBody, SignInStep, SignInView } from '../api/sign-in-views.ts';
import { assertionOf } from '../authenticators/approvals.ts';
import { keyOptions } from '../ceremonies/webauthn-options.ts';
import type { Answer } from '../factors/answer-format.ts';
import type { Account } from '../host/accounts.ts';
import { SallyportError } from '../lib/errors.ts';
import { canonicalAddress } from '../lib/network.ts';
import type { Randomness } from '../lib/randomness.ts';
import { limits } from '../limits.ts';
import type { LoginFacts } from '../policy/contract.ts';
import type { AbandonReason, KeyOption, OpenLogin, Verifier } from '../verifier/contract.ts';
import type { Person, Tokens } from './access-tokens.ts';
import { type First, mayAddFirst } from './first-factor.ts';
import {
  createFirstFactorLimit,
  type FirstFactorLimitOptions,
  type Passed,
  refused,
} from './first-factor-limit.ts';
import { createPacedChecks, type PacedChecks } from './paced-checks.ts';

/** Turns a password (or what stands for it) and a factor into a token. */
export interface SignIns {
  /**
   * @param token of the session in which it is confirmed
   * @throws SallyportError `sign-in-refused`, `password-needed`, `password-unavailable`, `not-permitted`
   */
  begin(caller: Caller, body: SignInBody, token?: string): Promise<SignInView>;
  /**
   * @param ended aborted once the request is: there is no browser to sign in, and the answer stays unused
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
  readonly bootId: string;
}

interface SignIn {
  readonly id: string;
  readonly caller: Caller;
  readonly person: Person;
  readonly by: SignInBody['by'];
  readonly passed: Passed;
  readonly offer: KeyOption | undefined;
  /** What can be typed; undefined: nothing. */
  readonly typed: string | undefined;
  readonly challenge: string;
  readonly rpId: string;
  login: OpenLogin;
  answers: number;
  /** Answers that the verifier has not judged yet. */
  evaluating: number;
  readonly timer: NodeJS.Timeout;
}

/**
 * MUST hold:
 * - who somebody is is settled first, by first-factor-gate.ts, and only then is anything looked at or opened;
 * - the factor is asked by the realm's policy, judged by the verifier and counted as in any login; once the request has
 *   ended, nothing is accepted;
 * - a token without a factor is given only where policy needs none, or to an account that has none at all and whose
 *   realm, or an invite, lets its first one be added;
 * - nobody takes up the places of others.
 */
export function createSignIns(options: SignInOptions): SignIns {
  const { tokens } = options;
  const checks = options.checks ?? createPacedChecks({ monotonic: () => performance.now() });
  const gate = createFirstFactorLimit({ ...options, checks });
  const running = new Map<string, SignIn>();

  const end = (signIn: SignIn): void => {
    clearTimeout(signIn.timer);
    running.delete(signIn.id);
  };
  /** One account has a few places: the sign-in that was begun first gives way. */
  const makeRoom = (uid: number): void => {
    const own = [...running.values()].filter(({ person }) => person.uid === uid);
    for (const oldest of own.slice(0, Math.max(0, own.length - limits.signInsPerAccount + 1)))
      abandon(oldest, 'cancelled');
    if (running.size >= limits.signIns) throw refused('Too many are signing in. Try again soon.');
  };
  const abandon = (signIn: SignIn, reason: AbandonReason): void => {
    end(signIn);
    // What is being judged has an event of its own.
    if (signIn.evaluating === 0) options.verifier.abandon(signIn.login, reason).catch(() => undefined);
  };
  const doneBy = async (
    { person, by, caller, passed }: Pick<SignIn, 'person' | 'by' | 'caller' | 'passed'>,
    { text, first }: { readonly text?: string | undefined; readonly first?: First } = {},
  ): Promise<SignInStep> => {
    gate.completed(passed);
    if (by === 'uid') {
      const made = options.links.make(person, caller.root);
      const [origin] = options.configuration.current().portal?.origins ?? [];
      const url = origin === undefined ? {} : { url: `${origin}/sign-in#link=${made.link}` };
      return { kind: 'link', ...made, ...url };
    }
    const view = await tokens.view(person);
    const onlyOwn = first?.onlyOwn === true;
    return {
      kind: 'done',
      person: { ...view, admin: view.admin && !onlyOwn },
      token: tokens.give(person, onlyOwn),
      ...(text === undefined ? {} : { text }),
    };
  };

  return {
    async begin(caller, body, shown) {
      const passed = await gate.pass(caller, body, shown);
      const { account, invited, source } = passed;
      const person = { account: account.name, uid: account.uid };
      const begun = { person, by: body.by, caller, passed };
      const facts = factsFor(account, source, caller, options.bootId);
      const first = await mayAddFirst(options, account, facts, invited);
      if (first !== undefined) return { id: '', step: await doneBy(begun, { first }) };
      const opening = await options.verifier.open(facts);
      if (opening.kind === 'done') {
        if (opening.result === 'ignore') return { id: '', step: await doneBy(begun) };
        throw refused(opening.text);
      }
      makeRoom(person.uid);
      const id = options.randomness.bytes(16).toString('base64url');
      const challenge = options.randomness.bytes(32).toString('base64url');
      const timer = setTimeout(() => abandon(signIn, 'timed-out'), limits.signInDeadline).unref();
      const signIn: SignIn = {
        id,
        ...begun,
        offer: opening.key,
        typed: opening.key === undefined ? opening.prompt.replace(/: $/, '') : opening.key.typed,
        challenge,
        rpId: options.configuration.current().webauthn?.rpId ?? '',
        login: opening.login,
        answers: 0,
        evaluating: 0,
        timer,
      };
      running.set(id, signIn);
      return { id, step: factorStep(signIn, opening.text) };
    },
    async answer(caller, id, body, ended) {
      const signIn = running.get(id);
      const isOpen = signIn?.caller.uid === caller.uid && signIn.answers < limits.answersPerCall;
      if (signIn === undefined || !isOpen)
        throw new SallyportError('no-such-sign-in', 'that sign-in is over; begin again');
      signIn.answers += 1;
      signIn.evaluating += 1;
      const verdict = await options.verifier
        .answer(signIn.login, answerOf(body, signIn, options), ended)
        .finally(() => {
          signIn.evaluating -= 1;
        });
      if (verdict.kind === 'accepted') {
        end(signIn);
        return { id: '', step: await doneBy(signIn, verdict) };
      }
      if (verdict.kind === 'next')
        throw new SallyportError('internal', 'a sign-in adds no first factor: a defect');
      await pause(verdict.delay);
      signIn.login = verdict.login;
      const isOver = !verdict.again || signIn.answers >= limits.answersPerCall;
      if (isOver) end(signIn);
      if (isOver) throw refused(verdict.text);
      return { id, step: factorStep(signIn, verdict.text) };
    },
    close() {
      for (const signIn of running.values()) end(signIn);
    },
  };
}

function factsFor(account: Account, source: string | undefined, caller: Caller, bootId: string): LoginFacts {
  const address = source === undefined ? undefined : canonicalAddress(source);
  return {
    service: serviceOf(caller),
    user: account.name,
    ...(source === undefined ? {} : { rhost: source }),
    ...(address === undefined ? {} : { source: address }),
    bootId,
    realUid: account.uid,
    peerUid: caller.uid,
    proven: true,
    rootSocket: true,
    local: false,
    // Whoever else asks has no page for an approval: it would wait for nobody.
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
