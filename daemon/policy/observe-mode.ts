import type { Config, Realm } from '../config/contract.ts';
import type { LoginFacts } from './contract.ts';
import type { Decision, NotNeeded } from './decision.ts';
import { isSignIn } from './realm.ts';

/** Whoever changes factors in the portal is asked for one, whatever the realm does at logins. */
export function observes(realm: Realm, { service }: Pick<LoginFacts, 'service'>): boolean {
  return realm.observe && !isSignIn(service);
}

/** This realm and those after it. */
export function remainingRealms({ realms }: Config, realm: Realm): readonly Realm[] {
  return realms.slice(realms.indexOf(realm));
}

/**
 * What is decided where a realm observes.
 *
 * MUST hold: it leaves nothing behind but its event. No grace begins, no lock, no mark moves, and nobody is told.
 */
export function observed(would: Decision): NotNeeded {
  const { realm, membershipReason, rule, line, detail } = would;
  return {
    kind: 'not-needed',
    why: 'observed',
    would,
    realm,
    membershipReason,
    ...(rule !== undefined && { rule }),
    line,
    detail,
  };
}

/** The decision as it would be if the realm did not observe. */
export function ifEnforced(decision: Decision): Decision {
  return decision.kind === 'not-needed' && decision.would !== undefined ? decision.would : decision;
}
