import { createHash } from 'node:crypto';
import type { Caller, TokenCheck } from '../api/access.ts';
import type { PersonView, TokenView } from '../api/sign-in-views.ts';
import type { Accounts } from '../host/contract.ts';
import { setBoundedPerOwner } from '../lib/bounded-map.ts';
import type { Randomness } from '../lib/randomness.ts';
import { limits } from '../limits.ts';

/** The signed-in user. */
export interface Person {
  /** Canonical name. */
  readonly account: string;
  readonly uid: number;
}

export interface Tokens extends TokenCheck {
  /** @param ownOnly valid only for the user's own account: no factor was asked for it */
  give(person: Person, onlyOwn?: boolean): TokenView;
  end(token: string): void;
  /** Checks without using it: following a stream does not prolong it. */
  isLive(token: string): boolean;
  /** Its holder, while it is valid; checks without using it. */
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
 * Access tokens: what sallyportd issues for a password and, if the account has one, a factor. Invariants:
 * - 256 random bits, of which only a digest is kept; a token is valid for changes for five minutes from its creation,
 *   and for reading while it is used at least every 15 minutes, eight hours at most. Both by the monotonic clock;
 * - its holder, including membership of the admin group, is looked up in NSS at each use: a deleted account, or one
 *   with another uid, holds nothing, and one with the same uid is another account;
 * - a token issued without a required factor serves only its holder's own account, to add one;
 * - they are kept in memory, bounded, and end with the daemon.
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
    isLive: (token) => live(token) !== undefined,
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
