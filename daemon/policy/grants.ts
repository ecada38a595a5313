import { limits } from '../limits.ts';
import type { Grant, LoginFacts } from './contract.ts';

/**
 * What a grant is bound to: the source address, or the tty with session and boot id.
 * undefined if neither is known for certain: then no grant is issued.
 */
export function grantOrigin(facts: LoginFacts): string | undefined {
  if (!facts.rootSocket) return undefined;
  if (facts.source !== undefined) return `ip:${facts.source}`;
  // A host name that came with the login is not an address, and may be forged.
  if (facts.rhost !== undefined) return undefined;
  const { tty, session, bootId } = facts;
  // A space within a part could make two different origins look the same.
  if ([tty, session, bootId].some((part) => part === undefined || !/^\S+$/.test(part))) return undefined;
  return `tty:${tty} session:${session} boot:${bootId}`;
}

/** @param forMs of the rule that matches now: a shorter time ends grants that were issued for a longer one */
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
      grant.host === login.facts.host?.id &&
      (grant.target === undefined || grant.target === login.target) &&
      grant.since <= now &&
      now < grant.since + forMs,
  );
}

/** Whether a factor that is verified in this login may leave a grant. */
export function mayRemember(facts: LoginFacts): boolean {
  return facts.firstFactorVerified && grantOrigin(facts) !== undefined;
}

/**
 * The account's grants with one for this login: a new grant replaces the old one from the same origin; those that
 * began after now (the clock was set back) are void; above the limit the oldest is dropped.
 */
export function issueGrant(
  grants: readonly Grant[],
  login: {
    readonly realm: string;
    readonly facts: LoginFacts;
    readonly now: number;
    /** su of a caller: the target of su. */
    readonly target: string | undefined;
  },
): readonly Grant[] {
  const { realm, facts, now, target } = login;
  const origin = grantOrigin(facts);
  if (origin === undefined || !mayRemember(facts)) return grants;
  const { service } = facts;
  const host = facts.host?.id;
  const given: Grant = {
    realm,
    service,
    origin,
    since: now,
    ...(target !== undefined && { target }),
    ...(host !== undefined && { host }),
  };
  const isSame = (other: Grant) =>
    other.realm === realm &&
    other.service === service &&
    other.origin === origin &&
    other.target === target &&
    other.host === host;
  const kept = grants
    .filter((other) => other.since <= now && !isSame(other))
    .sort((a, b) => a.since - b.since)
    .slice(-(limits.grantsPerAccount - 1));
  return [...kept, given];
}
