import { kindOf } from '../factors/kinds.ts';
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
 * The only way in which a factor lets a login in.
 *
 * Invariants:
 * - one durable commit, conditional on the record that was assessed, holds all of it: the factor after its use, its
 *   counters, the end of the failure count, the login, and the event;
 * - a login is let in only on true; undefined and errors refuse.
 *
 * @param used the factor as it is to be stored, or removed
 * @param accepted the answer that was typed
 * @returns false if another commit came first; decide again from fresh records
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
    throw new SallyportError(
      'internal',
      'internal error: accepted a factor of an account without a record; please report this',
    );
  // A login without a verified first factor is "accepted": PAM may still refuse it.
  const outcome = facts.firstFactorVerified ? 'success' : 'accepted';
  const said = { outcome, reason: 'verified', at: now, realm: decision.realm, factor } as const;
  return auditedStore.change(
    { record, version },
    withLogin(afterAcceptance(record, used, accepted), assessed, facts, factor),
    loginEvent(subject, facts, said),
    kindOf(factor).counters === undefined ? [] : markOf(factor, tokens),
  );
}

/** Records a login with a key that sshd has verified: no counter moves, only its use is recorded. */
export function acceptVerified(
  auditedStore: AuditedStore,
  assessed: Assessment,
  facts: LoginFacts,
  { factor }: Accept,
): Promise<boolean> {
  return accept(auditedStore, assessed, facts, { factor: { ...factor, lastUsed: assessed.now } }, new Map());
}
