import { SallyportError } from '../lib/errors.ts';
import type { LoginFacts } from '../policy/contract.ts';
import type { Accept } from '../policy/decision.ts';
import type { AcceptedAnswer } from '../store/contract.ts';
import type { Used } from './answer-context.ts';
import { afterAcceptance } from './answer-context.ts';
import { type Assessment, withLogin } from './assessment.ts';
import type { AuditedStore } from './audited-store.ts';
import { loginEvent } from './events.ts';
import { markOf, type YubikeyCounters } from './yubikey-counters.ts';

/**
 * The one way that a factor lets a login in.
 *
 * MUST hold:
 * - one durable commit, on condition that the record still is what was assessed, holds all of it: the factor
 *   as it is once it was used, its marks, the end of the row of failures, the login, and the event;
 * - a login is let in only on true. Undecided or thrown, nobody is.
 *
 * @param used as it is to be stored, or taken out
 * @param accepted what was typed
 * @returns false: the commit met another one; all of it is to be decided again
 */
export async function accept(
  auditedStore: AuditedStore,
  assessed: Assessment,
  facts: LoginFacts,
  used: Used,
  tokens: YubikeyCounters,
  accepted?: AcceptedAnswer,
): Promise<boolean> {
  const { subject, versioned, decision, now } = assessed;
  const { value: record, version } = versioned;
  const { factor } = used;
  if (record === undefined)
    throw new SallyportError('internal', 'a factor is accepted of an account that has none: a defect');
  // What is not known to have been let in is not called so.
  const outcome = facts.firstFactorVerified ? 'success' : 'accepted';
  const said = { outcome, reason: 'verified', at: now, realm: decision.realm, factor } as const;
  return auditedStore.change(
    { record, version },
    withLogin(afterAcceptance(record, used, accepted), assessed, facts, factor),
    loginEvent(subject, facts, said),
    markOf(factor, tokens),
  );
}

/** A key that sshd has verified for this one login: nothing of it is spent, but that it was used is kept. */
export function acceptVerified(
  auditedStore: AuditedStore,
  assessed: Assessment,
  facts: LoginFacts,
  { factor }: Accept,
): Promise<boolean> {
  return accept(auditedStore, assessed, facts, { factor: { ...factor, lastUsed: assessed.now } }, new Map());
}
