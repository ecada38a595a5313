import { limits } from '../limits.ts';
import type { Grant, LoginFacts } from './contract.ts';

/**
 * What a grant is bound to: the source address, or the tty with session and boot id.
 * Undefined when neither is known for sure: then nothing is remembered.
 */
export function grantOrigin(facts: LoginFacts): string | undefined {
  if (!facts.rootSocket) return undefined;
  if (facts.source !== undefined) return `ip:${facts.source}`;
  // A host name that came with the login is no address, and may be anybody's.
  if (facts.rhost !== undefined) return undefined;
  const { tty, session, bootId } = facts;
  // A blank within a part could make two different origins read the same.
  if ([tty, session, bootId].some((part) => part === undefined || !/^\S+$/.test(part))) return undefined;
  return `tty:${tty} session:${session} boot:${bootId}`;
}

/** @param forMs of the rule that matches now: a shorter one ends grants that a longer one gave */
export function activeGrant(
  grants: readonly Grant[],
  login: { readonly realm: string; readonly target: string; readonly facts: LoginFacts },
  forMs: number,
  now: number,
): Grant | undefined {
  const origin = grantOrigin(login.facts);
  return grants.find(
    (grant) =>
      grant.origin === origin &&
      grant.realm === login.realm &&
      grant.service === login.facts.service &&
      (grant.target === undefined || grant.target === login.target) &&
      grant.since <= now &&
      now < grant.since + forMs,
  );
}

/** Whether a factor verified in this login may be remembered at all. */
export function mayRemember(facts: LoginFacts): boolean {
  return facts.firstFactorVerified && grantOrigin(facts) !== undefined;
}

/**
 * The account's grants with one for this login: a new one takes the place of the old one of the same
 * place; those that began after now (the clock was set back) are void; over the limit the oldest goes.
 */
export function issueGrant(
  grants: readonly Grant[],
  login: {
    readonly realm: string;
    readonly facts: LoginFacts;
    readonly now: number;
    /** su of a caller: the account that it was for. */
    readonly target: string | undefined;
  },
): readonly Grant[] {
  const { realm, facts, now, target } = login;
  const origin = grantOrigin(facts);
  if (origin === undefined || !mayRemember(facts)) return grants;
  const { service } = facts;
  const given: Grant = { realm, service, origin, since: now, ...(target !== undefined && { target }) };
  const isSame = (other: Grant) =>
    other.realm === realm && other.service === service && other.origin === origin && other.target === target;
  const kept = grants
    .filter((other) => other.since <= now && !isSame(other))
    .sort((a, b) => a.since - b.since)
    .slice(-(limits.grantsPerAccount - 1));
  return [...kept, given];
}
