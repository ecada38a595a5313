import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { LinkView } from '../api/sign-in-views.ts';
import { setBoundedPerOwner } from '../lib/bounded-map.ts';
import type { Randomness } from '../lib/randomness.ts';
import { limits } from '../limits.ts';
import type { AccountRecord } from '../store/contract.ts';
import type { Person } from './access-tokens.ts';

/** Links that replace the password, made by the account's own uid: for accounts without a password. */
export interface Links {
  /** @param byRoot made by root, so that no password is needed */
  make(person: Person, byRoot: boolean): LinkView;
  /** Consumes it. @returns its owner */
  take(link: string): LinkOwner | undefined;
}

export interface LinkOwner extends Person {
  readonly byRoot: boolean;
}

export interface LinkOptions {
  readonly randomness: Pick<Randomness, 'bytes'>;
  readonly clock: { now(): number; monotonic(): number };
}

/** Invariants: 128 random bits, of which only a digest is kept, valid once, for ten minutes by the monotonic clock. */
export function createLinks({ randomness, clock }: LinkOptions): Links {
  const made = new Map<string, { readonly person: LinkOwner; readonly ends: number }>();
  return {
    make({ account, uid }, byRoot) {
      const person = { account, uid, byRoot };
      const link = randomness.bytes(16).toString('base64url');
      const ends = clock.monotonic() + limits.linkDeadline;
      const most = { all: limits.links, own: limits.linksPerAccount };
      setBoundedPerOwner(made, digestOf(link), { person, ends }, most, (other) => other.person.uid === uid);
      return { link, expires: clock.now() + limits.linkDeadline };
    },
    take(link) {
      const key = digestOf(link);
      const found = made.get(key);
      made.delete(key);
      return found !== undefined && clock.monotonic() < found.ends ? found.person : undefined;
    },
  };
}

/** An invite names its account, because it is kept in that account's record. */
export interface InviteLink {
  readonly account: string;
  readonly secret: string;
}

export function newInvite(
  account: string,
  withoutPassword: boolean,
  now: number,
): { readonly invite: NonNullable<AccountRecord['invite']>; readonly view: LinkView } {
  const secret = randomBytes(16).toString('base64url');
  const expires = now + limits.inviteDeadline;
  const link = `${Buffer.from(account).toString('base64url')}.${secret}`;
  return { invite: { digest: digestOf(secret), expires, withoutPassword }, view: { link, expires } };
}

/** @returns undefined if it is not an invite; it may be a sign-in link */
export function readInvite(link: string): InviteLink | undefined {
  const [account, secret, ...more] = link.split('.');
  if (account === undefined || secret === undefined || more.length > 0) return undefined;
  return { account: Buffer.from(account, 'base64url').toString(), secret };
}

/** A clock that was set back does not prolong it beyond a day from now. */
export function isInvited(invite: AccountRecord['invite'], { secret }: InviteLink, now: number): boolean {
  if (invite === undefined) return false;
  const [kept, given] = [Buffer.from(invite.digest, 'base64'), Buffer.from(digestOf(secret), 'base64')];
  const isSame = kept.length === given.length && timingSafeEqual(kept, given);
  return isSame && now < invite.expires && invite.expires - now <= limits.inviteDeadline;
}

function digestOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64');
}
