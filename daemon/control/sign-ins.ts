import type { Account } from '../accounts.ts';
import { canonicalAddress } from '../config/network.ts';
import { SallyportError } from '../errors.ts';
import { limits } from '../limits.ts';
import type { LoginFacts } from '../policy/contract.ts';
import { portalService } from '../policy/rule.ts';
import type { Randomness } from '../randomness.ts';
import { assertionOf } from '../verifier/approvals.ts';
import type { AbandonReason, OpenLogin, Verifier } from '../verifier/contract.ts';
import type { Answer } from '../verifier/judge.ts';
import type { Throttle } from '../verifier/throttle.ts';
import type { KeyOffer } from '../verifier/touches.ts';
import type { Caller } from './access.ts';
import {
  type First,
  type FirstFactorOptions,
  firstFactor,
  mayAddFirst,
  type NotProven,
} from './first-factor.ts';
import { keyOptions } from './key-options.ts';
import { readInvite } from './links.ts';
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
  readonly caller: Caller;
  readonly person: Person;
  readonly by: SignInBody['by'];
  readonly offer: KeyOffer | undefined;
  /** What can be typed; undefined: nothing. */
  readonly typed: string | undefined;
  readonly challenge: string;
  readonly rpId: string;
  login: OpenLogin;
  answers: number;
  /** Answers that the verifier has not judged yet. */
  judging: number;
  readonly timer: NodeJS.Timeout;
}

/**
 * MUST hold:
 * - the same words, and the same beat, for a name that is none, a wrong password and an account that may not log in;
 * - wrong passwords are throttled by name as typed and by source, before the password is looked at;
 * - the factor is asked by the realm's policy, judged by the verifier and counted as in any login;
 * - a token without a factor is given only where policy needs none, or to an account that has none at all and whose
 *   realm, or an invite, lets its first one be added;
 * - whoever is neither root nor the portal signs in as itself alone, uses up no tries of a name's, and is not believed
 *   a source; nobody takes up the places of others.
 */
export function createSignIns(options: SignInOptions): SignIns {
  const { tokens, throttle } = options;
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
    if (signIn.judging === 0) options.verifier.abandon(signIn.login, reason).catch(() => undefined);
  };
  const doneBy = async (
    { person, by, caller }: Pick<SignIn, 'person' | 'by' | 'caller'>,
    { text, first }: { readonly text?: string | undefined; readonly first?: First } = {},
  ): Promise<SignInStep> => {
    if (by === 'uid') {
      const made = options.links.make(person, caller.root);
      const [origin] = options.configuration.current().portal?.origins ?? [];
      const url = origin === undefined ? {} : { url: `${origin}/sign-in?link=${made.link}` };
      return { kind: 'link', ...made, ...url };
    }
    const view = await tokens.view(person);
    const ownAlone = first?.ownAlone === true;
    return {
      kind: 'done',
      person: { ...view, admin: view.admin && !ownAlone },
      token: tokens.give(person, ownAlone),
      ...(text === undefined ? {} : { text }),
    };
  };

  return {
    async begin(caller, body) {
      const source = caller.portal || caller.root ? body.source : undefined;
      const origin = source ?? `uid:${caller.uid}`;
      const name = guessedIn(body);
      const began = performance.now();
      if (!throttle.allows(name, origin)) throw await later(refused(), began);
      throttle.failed(name, origin);
      const proven = await firstFactor(options, caller, body, source);
      if (proven !== 'wrong') {
        throttle.forgive(name, origin);
        // No name pays for what was no guess at its password; whoever asks in a flood does.
        if (typeof proven === 'string' || body.by === 'uid') throttle.failed(undefined, origin);
      }
      if (typeof proven === 'string') throw await later(refusalFor(proven, body), began);
      const { account, invited } = proven;
      const person = { account: account.name, uid: account.uid };
      const begun = { person, by: body.by, caller };
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
        caller,
        person,
        by: body.by,
        offer: opening.key,
        typed: opening.key === undefined ? opening.prompt.replace(/: $/, '') : opening.key.typed,
        challenge,
        rpId: options.configuration.current().webauthn?.rpId ?? '',
        login: opening.login,
        answers: 0,
        judging: 0,
        timer,
      };
      running.set(id, signIn);
      return { id, step: factorStep(signIn, opening.text) };
    },
    async answer(caller, id, body) {
      const signIn = running.get(id);
      const isOpen = signIn?.caller.uid === caller.uid && signIn.answers < limits.answersPerCall;
      if (signIn === undefined || !isOpen)
        throw new SallyportError('no-such-sign-in', 'that sign-in is over; begin again');
      signIn.answers += 1;
      signIn.judging += 1;
      const verdict = await options.verifier
        .answer(signIn.login, answerOf(body, signIn, options))
        .finally(() => {
          signIn.judging -= 1;
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

/** Whose password is tried; undefined: nobody's. An invite names its account itself, whatever name was typed. */
function guessedIn(body: SignInBody): string | undefined {
  if (body.by === 'uid') return undefined;
  return (body.by === 'link' ? readInvite(body.link)?.account : undefined) ?? body.user;
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
    case 'has-password':
      return new SallyportError(
        'password-needed',
        'this account has a password, or it cannot be established that it has none: sign in with the password. ' +
          'Where there is none, an administrator can make an invite: sallyport invite USER --without-password',
      );
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
