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

/** Limits first-factor checks: how often, how many at a time, and when the response is sent. */
export interface FirstFactorLimit {
  /**
   * @param token of the session that asks
   * @throws SallyportError `sign-in-refused`, `password-needed`, `password-unavailable`, `not-permitted`
   */
  pass(caller: Caller, body: SignInBody, token: string | undefined): Promise<Passed>;
  /** The sign-in succeeded: that name is now familiar from that source. */
  completed(passed: Passed): void;
}

export interface Passed extends Authenticated {
  /** The browser's address; undefined if not known, or not trusted. */
  readonly source: string | undefined;
  readonly familiar: string | undefined;
}

export interface FirstFactorLimitOptions extends FirstFactorOptions {
  readonly checks: PacedChecks;
  readonly tokens: Pick<Tokens, 'person'>;
  /** Separate from logins: failures here use up no attempts of logins. */
  readonly rateLimiter: RateLimiter;
}

/**
 * Invariants:
 * - the same message, the same work and the same time for an unknown name, a wrong password and an account that may not
 *   log in, idle and under load (paced-checks.ts);
 * - wrong passwords are rate limited by name as typed (with a link: by the link) and by source, before the password is
 *   verified;
 * - a session is for its own account only, whatever invite is tried in it;
 * - a user who has a session, or signed in from that source before, shares neither attempts nor slots with strangers; a
 *   caller other than root and the portal signs in only as itself, uses up no attempts of a name at the portal, and
 *   cannot state a source.
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
        // A failure that was no guess at a password does not count for the name, but does for the source.
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
 * password guesses under that name must not keep its holder out. With an invite passwords can be guessed too.
 */
function guessedIn(body: SignInBody): string | undefined {
  if (body.by === 'uid') return undefined;
  if (body.by === 'password') return nameKey(body.user);
  // In parsed form: one invite has many spellings.
  const invite = readInvite(body.link);
  const link = invite === undefined ? body.link : `${invite.account} ${invite.secret}`;
  return `link ${createHash('sha256').update(link).digest('base64')}`;
}

export function refused(text?: string): SallyportError {
  return new SallyportError('sign-in-refused', text ?? 'Incorrect account name or password.');
}

/** For a link too the message is the same whatever is wrong with it. */
const wrongLink = 'This link is invalid, used or expired. Request a new one.';
const wrongWithLink = 'Incorrect password, or the link is invalid, used or expired.';

function refusalFor(why: NotProven | 'busy', body: SignInBody): SallyportError {
  switch (why) {
    case 'wrong':
      if (body.by !== 'link') return refused();
      return refused(body.password === undefined ? wrongLink : wrongWithLink);
    case 'expired':
      return refused('Your password has expired. Change it on the machine first, with: passwd');
    case 'password-needed':
      return new SallyportError('password-needed', "the account's password is needed too");
    case 'has-password':
      return new SallyportError(
        'password-needed',
        'this account has a password, or the system cannot rule it out: sign in with the password. ' +
          'Without one, an administrator can create an invite: sallyport invite USER --without-password',
      );
    case 'not-permitted':
      return new SallyportError('not-permitted', 'a local user can sign in only as itself here');
    case 'busy':
      return new SallyportError(
        'password-unavailable',
        'too many sign-ins are waiting, from your address or in all; try again shortly',
      );
    case 'unavailable':
      return new SallyportError(
        'password-unavailable',
        'passwords cannot be verified at the moment; try again later, or ask an administrator to read the log',
      );
  }
}

/** On the next beat, so that the time reveals nothing. */
async function later(error: SallyportError, began: number): Promise<SallyportError> {
  const beat = limits.refusalBeat;
  const left = beat - ((performance.now() - began) % beat);
  await new Promise((resolve) => void setTimeout(resolve, left));
  return error;
}
