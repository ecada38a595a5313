import type { Config, Realm } from '../config/contract.ts';
import type { LoginFacts } from './contract.ts';
import type { Decision, NotNeeded } from './decision.ts';
import { isSignIn } from './realm.ts';

/** Changing factors in the portal requires one, also in observe mode. */
export function observes(realm: Realm, { service }: Pick<LoginFacts, 'service'>): boolean {
  return realm.observe && !isSignIn(service);
}

/** This realm and those after it. */
export function remainingRealms({ realms }: Config, realm: Realm): readonly Realm[] {
  return realms.slice(realms.indexOf(realm));
}

/**
 * The decision in observe mode.
 *
 * Invariant: it leaves nothing but its event: it starts no grace period and no lock, moves no counter, and shows no
 * text.
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

/** The decision as it would be without observe mode. */
export function ifEnforced(decision: Decision): Decision {
  return decision.kind === 'not-needed' && decision.would !== undefined ? decision.would : decision;
}
