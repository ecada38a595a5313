import { createHash } from 'node:crypto';
import type { Caller } from '../api/access.ts';
import type { SignInBody } from '../api/sign-in-views.ts';
import { setBounded } from '../lib/bounded-map.ts';
import { SallyportError } from '../lib/errors.ts';
import { nameKey, networkKey } from '../lib/network-key.ts';
import { limits } from '../limits.ts';
import type { RateLimiter } from '../verifier/rate-limiter.ts';
import type { Tokens } from './access-tokens.ts';
import { type Authenticated, type FirstFactorOptions, firstFactor, type NotProven } from './first-factor.ts';
import type { Lane, PacedChecks, Party } from './paced-checks.ts';
import { readInvite } from './sign-in-links.ts';

/** The way to the first factor: how often, how many at a time, and when the answer leaves. */
export interface FirstFactorLimit {
  /**
   * @param token of the session in which it is asked
   * @throws SallyportError `sign-in-refused`, `password-needed`, `password-unavailable`, `not-permitted`
   */
  pass(caller: Caller, body: SignInBody, token: string | undefined): Promise<Passed>;
  /** The sign-in came to its end: from there that name is familiar. */
  completed(passed: Passed): void;
}

export interface Passed extends Authenticated {
  /** Where the browser is; undefined: not known, or not believed. */
  readonly source: string | undefined;
  readonly familiar: string | undefined;
}

export interface FirstFactorLimitOptions extends FirstFactorOptions {
  readonly checks: PacedChecks;
  readonly tokens: Pick<Tokens, 'person'>;
  /** Of its own: what goes wrong here uses up no login's tries. */
  readonly rateLimiter: RateLimiter;
}

/**
 * Invariants:
 * - the same words, the same work and the same time for a name that is not an account, a wrong password and an account
 *   that may not log in, alone and under load (paced-checks.ts);
 * - wrong passwords are throttled by name as typed (with a link: by the link) and by source, before the password is
 *   looked at;
 * - a session is one for its own account only, whoever's invite is tried in it;
 * - who has a session, or signed in from that source before, shares neither tries nor places with strangers; who is
 *   neither root nor the portal signs in as itself only, uses up no tries of a name at the portal, and is not believed
 *   a source.
 */
export function createFirstFactorLimit(options: FirstFactorLimitOptions): FirstFactorLimit {
  const { rateLimiter } = options;
  const familiar = new Map<string, true>();

  const laneOf = (caller: Caller, body: SignInBody, token: string | undefined): Lane => {
    const person = token === undefined ? undefined : options.tokens.person(token);
    const isOwn =
      person?.account === body.user && (guessedIn(body) ?? nameKey(body.user)) === nameKey(body.user);
    if (isOwn) return 'verified';
    if (caller.portal || (caller.root && body.source !== undefined)) return 'portal';
    return caller.root ? 'verified' : 'local';
  };
  const partyOf = (
    caller: Caller,
    body: SignInBody,
    token: string | undefined,
  ): Party & { readonly pair: string | undefined } => {
    const lane = laneOf(caller, body, token);
    const name = guessedIn(body);
    const guessed = (kind: string) => (name === undefined ? undefined : `${kind} ${name}`);
    switch (lane) {
      case 'verified':
        return { lane, source: `account ${body.user}`, name: guessed('verified'), pair: undefined };
      case 'local':
        return { lane, source: `uid:${caller.uid}`, name: guessed(`uid:${caller.uid}`), pair: undefined };
      case 'portal': {
        const source = networkKey(body.source ?? `uid:${caller.uid}`);
        const pair = body.by === 'password' ? guessed(`from ${source}`) : undefined;
        if (pair === undefined || !familiar.has(pair)) return { lane, source, name: guessed('typed'), pair };
        return { lane: 'verified', source: pair, name: pair, pair };
      }
    }
  };

  return {
    async pass(caller, body, token) {
      const began = performance.now();
      const source = caller.portal || caller.root ? body.source : undefined;
      const party = partyOf(caller, body, token);
      if (!rateLimiter.allows(party.name, party.source)) throw await later(refused(), began);
      rateLimiter.failed(party.name, party.source);
      const outcome = await options.checks.run(
        party,
        () => firstFactor(options, caller, body, source),
        (found) => typeof found !== 'string',
      );
      if (outcome !== 'wrong') {
        rateLimiter.forgive(party.name, party.source);
        // No name pays for what was no guess at its password; whoever asks in a flood does.
        if (typeof outcome === 'string' || body.by === 'uid') rateLimiter.failed(undefined, party.source);
      }
      if (typeof outcome === 'string') throw await later(refusalFor(outcome, body), began);
      return { ...outcome, source, familiar: party.pair };
    },
    completed({ familiar: pair }) {
      if (pair !== undefined) setBounded(familiar, pair, true, limits.familiarSources);
    },
  };
}

/**
 * What is guessed at; undefined: nothing. A link is counted by itself, not by a name: its secret cannot be guessed, and
 * who tries passwords under that name is not to keep its holder out. With an invite passwords are tried too.
 */
function guessedIn(body: SignInBody): string | undefined {
  if (body.by === 'uid') return undefined;
  if (body.by === 'password') return nameKey(body.user);
  // As it is read: one invite has many spellings.
  const invite = readInvite(body.link);
  const link = invite === undefined ? body.link : `${invite.account} ${invite.secret}`;
  return `link ${createHash('sha256').update(link).digest('base64')}`;
}

export function refused(text?: string): SallyportError {
  return new SallyportError('sign-in-refused', text ?? 'That name and password do not go together here.');
}

/** For a link too the words are the same whatever is wrong with it. */
const wrongLink =
  'That link is good no more here: it was used already, has run out, or is none. Ask for a new one.';
const wrongWithLink =
  'That link and password do not go together; or the link was used already, or has run out.';

function refusalFor(why: NotProven | 'busy', body: SignInBody): SallyportError {
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
    case 'busy':
      return new SallyportError(
        'password-unavailable',
        'too many sign-ins wait from where you are, or in all; try again in a moment',
      );
    case 'unavailable':
      return new SallyportError(
        'password-unavailable',
        'passwords cannot be checked just now; try again later, or ask an administrator to look at the log',
      );
  }
}

/** On the next beat, so that its time tells nothing. */
async function later(error: SallyportError, began: number): Promise<SallyportError> {
  const beat = limits.refusalBeat;
  const left = beat - ((performance.now() - began) % beat);
  await new Promise((resolve) => void setTimeout(resolve, left));
  return error;
}
