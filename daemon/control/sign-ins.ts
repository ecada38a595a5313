import type { Account } from '../accounts.ts';
import { canonicalAddress } from '../config/network.ts';
import { SallyportError } from '../errors.ts';
import { limits } from '../limits.ts';
import type { LoginFacts } from '../policy/contract.ts';
import { portalService } from '../policy/rule.ts';
import type { Randomness } from '../randomness.ts';
import { assertionOf } from '../verifier/approvals.ts';
import type { OpenLogin, Verifier } from '../verifier/contract.ts';
import type { Answer } from '../verifier/judge.ts';
import type { Throttle } from '../verifier/throttle.ts';
import type { KeyOffer } from '../verifier/touches.ts';
import type { Caller } from './access.ts';
import { type FirstFactorOptions, firstFactor, mayAddFirst, type NotProven } from './first-factor.ts';
import { keyOptions } from './key-options.ts';
import type { SignInAnswerBody, SignInBody, SignInStep, SignInView } from './sign-in-views.ts';
import type { Person, Tokens } from './tokens.ts';

/** Turns a password (or what stands for it) and a factor into a token. */
export interface SignIns {
  /** @throws SallyportError `sign-in-refused`, `password-needed`, `password-unavailable`, `not-permitted` */
  begin(caller: Caller, body: SignInBody): Promise<SignInView>;
  /** @throws SallyportError `sign-in-refused`, `no-such-sign-in` */
  answer(caller: Caller, id: string, body: SignInAnswerBody): Promise<SignInView>;
  close(): void;
}

export interface SignInOptions extends FirstFactorOptions {
  readonly verifier: Pick<Verifier, 'open' | 'answer' | 'abandon'>;
  readonly tokens: Tokens;
  /** Of its own: what goes wrong here uses up no login's tries. */
  readonly throttle: Throttle;
  readonly randomness: Pick<Randomness, 'bytes'>;
  readonly bootId: string;
}

interface SignIn {
  readonly id: string;
  readonly callerUid: number;
  readonly person: Person;
  readonly by: SignInBody['by'];
  readonly offer: KeyOffer | undefined;
  readonly challenge: string;
  login: OpenLogin;
  answers: number;
  readonly timer: NodeJS.Timeout;
}

/**
 * MUST hold:
 * - the same words, and the same beat, for a name that is none, a wrong password and an account that may not log in;
 * - wrong passwords are throttled by name as typed and by source, before the password is looked at;
 * - the factor is asked by the realm's policy, judged by the verifier and counted as in any login;
 * - a token without a factor is given only where policy needs none, or to an account that has none at all and whose
 *   realm, or an invite, lets its first one be added;
 * - whoever is neither root nor the portal signs in as itself alone, and only the portal is believed a source.
 */
export function createSignIns(options: SignInOptions): SignIns {
  const { clock, tokens, throttle } = options;
  const running = new Map<string, SignIn>();

  const end = (signIn: SignIn): void => {
    clearTimeout(signIn.timer);
    running.delete(signIn.id);
  };
  const doneBy = async (person: Person, by: SignInBody['by'], text?: string): Promise<SignInStep> => {
    if (by === 'uid') {
      const made = options.links.make(person);
      const [origin] = options.configuration.current().portal?.origins ?? [];
      const url = origin === undefined ? {} : { url: `${origin}/sign-in?link=${made.link}` };
      return { kind: 'link', ...made, ...url };
    }
    const view = await tokens.view(person);
    return {
      kind: 'done',
      person: view,
      token: tokens.give(person),
      ...(text === undefined ? {} : { text }),
    };
  };

  return {
    async begin(caller, body) {
      const source = caller.portal || caller.root ? body.source : undefined;
      const origin = source ?? `uid:${caller.uid}`;
      const began = clock.monotonic();
      if (!throttle.allows(body.user, origin)) throw await later(refused(), began);
      throttle.failed(body.user, origin);
      const proven = await firstFactor(options, caller, body, source);
      if (typeof proven === 'string') throw await later(refusalFor(proven, body), began);
      throttle.forgive(body.user, origin);
      const { account, invited } = proven;
      const person = { account: account.name, uid: account.uid };
      const facts = factsFor(account, source, caller, options.bootId);
      if (await mayAddFirst(options, account, facts, invited))
        return { id: '', step: await doneBy(person, body.by) };
      const opening = await options.verifier.open(facts);
      if (opening.kind === 'done') {
        if (opening.result === 'ignore') return { id: '', step: await doneBy(person, body.by) };
        throw refused(opening.text);
      }
      if (running.size >= limits.signIns) throw refused('Too many are signing in. Try again soon.');
      const id = options.randomness.bytes(16).toString('base64url');
      const challenge = options.randomness.bytes(32).toString('base64url');
      const timer = setTimeout(() => {
        running.delete(id);
        options.verifier.abandon(signIn.login, 'timed-out').catch(() => undefined);
      }, limits.signInDeadline).unref();
      const signIn: SignIn = {
        id,
        callerUid: caller.uid,
        person,
        by: body.by,
        offer: opening.key,
        challenge,
        login: opening.login,
        answers: 0,
        timer,
      };
      running.set(id, signIn);
      return {
        id,
        step: factorStep(signIn, opening.key?.typed ?? typedIn(opening.prompt, opening.key), opening.text),
      };
    },
    async answer(caller, id, body) {
      const signIn = running.get(id);
      if (signIn === undefined || signIn.callerUid !== caller.uid)
        throw new SallyportError('no-such-sign-in', 'that sign-in is over; begin again');
      signIn.answers += 1;
      const verdict = await options.verifier.answer(signIn.login, answerOf(body, signIn, options));
      if (verdict.kind === 'accepted') {
        end(signIn);
        return { id: '', step: await doneBy(signIn.person, signIn.by, verdict.text) };
      }
      if (verdict.kind === 'next')
        throw new SallyportError('internal', 'a sign-in adds no first factor: a defect');
      await pause(verdict.delay);
      signIn.login = verdict.login;
      const isOver = !verdict.again || signIn.answers >= limits.answersPerCall;
      if (isOver) end(signIn);
      if (isOver) throw refused(verdict.text);
      return { id, step: factorStep(signIn, signIn.offer?.typed, verdict.text) };
    },
    close() {
      for (const signIn of running.values()) end(signIn);
    },
  };
}

function factsFor(account: Account, source: string | undefined, caller: Caller, bootId: string): LoginFacts {
  const address = source === undefined ? undefined : canonicalAddress(source);
  return {
    service: portalService,
    user: account.name,
    ...(source === undefined ? {} : { rhost: source }),
    ...(address === undefined ? {} : { source: address }),
    bootId,
    realUid: account.uid,
    peerUid: caller.uid,
    proven: true,
    rootSocket: true,
    local: false,
    ...(caller.portal || caller.root ? { browser: true as const } : {}),
    mode: 'prompt',
  };
}

function factorStep(signIn: SignIn, typed: string | undefined, text: string | undefined): SignInStep {
  const { offer, challenge } = signIn;
  return {
    kind: 'factor',
    ...(typed === undefined ? {} : { typed }),
    ...(offer?.place === 'page' ? { key: keyOptions(offer.question, challenge) } : {}),
    ...(text === undefined ? {} : { text }),
  };
}

/** Without a key to offer, the prompt names what can be typed. */
function typedIn(prompt: string, offer: KeyOffer | undefined): string | undefined {
  return offer === undefined ? prompt.replace(/: $/, '') : undefined;
}

function answerOf(body: SignInAnswerBody, { challenge }: SignIn, options: SignInOptions): Answer {
  if (body.kind === 'typed') return Buffer.from(body.answer);
  return assertionOf(body, challenge, options.configuration.current().portal?.origins ?? []);
}

function refused(text?: string): SallyportError {
  return new SallyportError('sign-in-refused', text ?? 'That name and password do not go together here.');
}

/** For a link too the words are the same whatever is wrong with it. */
const wrongLink =
  'That link is good no more here: it was used already, has run out, or is none. Ask for a new one.';
const wrongWithLink =
  'That link and password do not go together; or the link was used already, or has run out.';

function refusalFor(why: NotProven, body: SignInBody): SallyportError {
  switch (why) {
    case 'wrong':
      if (body.by !== 'link') return refused();
      return refused(body.password === undefined ? wrongLink : wrongWithLink);
    case 'expired':
      return refused('Your password has expired. Change it on the machine first, with: passwd');
    case 'password-needed':
      return new SallyportError('password-needed', 'the password of the account is needed too');
    case 'not-permitted':
      return new SallyportError('not-permitted', 'only the account itself may sign in as itself here');
    case 'unavailable':
      return new SallyportError(
        'password-unavailable',
        'passwords cannot be checked just now; try again later, or ask an administrator to look at the log',
      );
  }
}

function pause(ms: number): Promise<void> {
  return ms <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
}

/** On the next beat, so that its time tells nothing. */
async function later(error: SallyportError, began: number): Promise<SallyportError> {
  const beat = limits.refusalBeat;
  await pause(beat - ((performance.now() - began) % beat));
  return error;
}
