import { createHash } from 'node:crypto';
import type { Caller, TokenCheck } from '../api/access.ts';
import type { PersonView, TokenView } from '../api/sign-in-views.ts';
import type { Accounts } from '../host/accounts.ts';
import { setBoundedPerOwner } from '../lib/bounded-map.ts';
import type { Randomness } from '../lib/randomness.ts';
import { limits } from '../limits.ts';

/** Who signed in. */
export interface Person {
  /** Canonical name. */
  readonly account: string;
  readonly uid: number;
}

export interface Tokens extends TokenCheck {
  /** @param ownAlone good for one's own account alone: no factor was asked for it */
  give(person: Person, onlyOwn?: boolean): TokenView;
  end(token: string): void;
  /** Looks without using it: whoever only listens stays idle. */
  stands(token: string): boolean;
  /** Whose it is, while it is good; looks without using it. */
  person(token: string): Person | undefined;
  /** As it is now: groups change. */
  view(person: Person): Promise<PersonView>;
}

export interface TokenOptions {
  readonly accounts: Accounts;
  readonly adminGroup: () => string;
  readonly rootUids: ReadonlySet<number>;
  readonly portalUid?: () => Promise<number | undefined>;
  readonly randomness: Pick<Randomness, 'bytes'>;
  readonly clock: { now(): number; monotonic(): number };
}

interface Given {
  readonly person: Person;
  readonly onlyOwn: boolean;
  /** Monotonic. */
  readonly since: number;
  used: number;
}

/**
 * Tokens: what sallyportd gives for a password and, where the account has one, a factor.
 *
 * MUST hold:
 * - 256 random bits, kept as a digest alone; a token is good for changes for five minutes from its making, and for
 *   reading as long as it is used every quarter of an hour, eight hours at the most. Both by a clock that is never set;
 * - who its holder is now, group of admins included, is asked of NSS at each use: an account that is gone, or has
 *   another uid by now, holds nothing, and one with the same uid is another account;
 * - what was given without a factor where one is required serves its holder's own account, to add one, and no other;
 * - they live in memory, bounded, and die with the daemon.
 */
export function createTokens(options: TokenOptions): Tokens {
  const { accounts, clock, randomness } = options;
  const given = new Map<string, Given>();

  const live = (token: string): Given | undefined => {
    const key = digestOf(token);
    const found = given.get(key);
    if (found === undefined) return undefined;
    const now = clock.monotonic();
    const isOver = now - found.used >= limits.tokenIdle || now - found.since >= limits.tokenReads;
    if (isOver) given.delete(key);
    return isOver ? undefined : found;
  };
  const callerOf = async ({ account, uid }: Person): Promise<Caller | undefined> => {
    const group = options.adminGroup();
    const found = await accounts.byName(account, [group]);
    if (found.status !== 'found' || found.account.uid !== uid) return undefined;
    return {
      uid,
      root: options.rootUids.has(uid),
      portal: uid === (await options.portalUid?.()),
      admin: found.groups.get(group) === 'member',
    };
  };

  return {
    give(person, onlyOwn = false) {
      const token = randomness.bytes(32).toString('base64url');
      const since = clock.monotonic();
      const one = { person, onlyOwn, since, used: since };
      const most = { all: limits.tokens, own: limits.tokensPerAccount };
      setBoundedPerOwner(given, digestOf(token), one, most, (other) => other.person.uid === person.uid);
      const now = clock.now();
      return { token, changesUntil: now + limits.tokenChanges, readsUntil: now + limits.tokenReads };
    },
    async holder(token) {
      const found = live(token);
      if (found === undefined) return undefined;
      found.used = clock.monotonic();
      const caller = await callerOf(found.person);
      if (caller === undefined) return undefined;
      const powers = found.onlyOwn ? { root: false, admin: false, onlyOwn: true as const } : {};
      const { account } = found.person;
      return { ...caller, ...powers, account, fresh: found.used - found.since < limits.tokenChanges };
    },
    end: (token) => void given.delete(digestOf(token)),
    stands: (token) => live(token) !== undefined,
    person: (token) => live(token)?.person,
    async view(person) {
      const caller = await callerOf(person);
      return { ...person, admin: caller?.admin ?? false };
    },
  };
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}
