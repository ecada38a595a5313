import type { AuditEvent, AuditKind, AuditOutcome } from '../audit/event.ts';
import type { ClockOffset } from '../factors/contract.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import { kindOf } from '../factors/kinds.ts';
import type { LockState, LoginFacts } from '../policy/contract.ts';
import type { LoginAccounts } from './contract.ts';

interface Said {
  readonly outcome: AuditOutcome;
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly realm?: string | undefined;
  readonly factor?: FactorRecord | undefined;
  /** outcome = observed: the decision that would have been enforced. */
  readonly would?: string | undefined;
}

function factorOf(factor: FactorRecord | undefined): Pick<AuditEvent, 'factor'> {
  if (factor === undefined) return {};
  const { id, kind, name } = factor;
  return { factor: { id, kind, name } };
}

/** The name that a program reports, without control characters that a terminal would interpret. */
export function shown(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?');
}

/** What is recorded of a decision about a login: facts and outcome, never what was typed. */
export function loginEvent(subject: LoginAccounts, facts: LoginFacts, said: Said): AuditEvent {
  const source = facts.source ?? facts.rhost;
  const { target, holder } = subject;
  return {
    kind: 'login',
    outcome: said.outcome,
    at: said.at,
    account: target.name,
    reason: said.reason,
    ...(facts.host === undefined ? {} : { host: facts.host }),
    ...(said.realm === undefined ? {} : { realm: said.realm }),
    service: shown(facts.service),
    ...(source === undefined ? {} : { source: shown(source) }),
    ...(facts.tty === undefined ? {} : { tty: shown(facts.tty) }),
    firstFactorVerified: facts.firstFactorVerified,
    ...(holder === undefined || holder.name === target.name ? {} : { caller: holder.name }),
    ...(facts.rootSocket ? {} : { actor: `uid:${facts.peerUid}` }),
    ...factorOf(said.factor),
    ...(said.would === undefined ? {} : { would: said.would }),
    ...remainingOf(said),
  };
}

/** What is recorded of a change, or of a `verify`. */
export function changeEvent(
  kind: AuditKind,
  said: Said & { readonly account: string; readonly actor: string },
): AuditEvent {
  return {
    kind,
    outcome: said.outcome,
    at: said.at,
    account: said.account,
    reason: said.reason,
    actor: said.actor,
    ...(said.realm === undefined ? {} : { realm: said.realm }),
    ...factorOf(said.factor),
    ...(kind === 'verify' ? remainingOf(said) : {}),
  };
}

/** The event of a wrong answer, with the lockout that it caused. */
export function withLock(event: AuditEvent, before: LockState, after: LockState): AuditEvent {
  if (after.lockedAt !== undefined && after.lockedAt !== before.lockedAt) return { ...event, locked: 'all' };
  const codes = after.codesLockedAt !== undefined && after.codesLockedAt !== before.codesLockedAt;
  return codes ? { ...event, locked: 'codes' } : event;
}

/** The event of a code that is correct for another time. */
export function withOffset(event: AuditEvent, { offset }: { readonly offset?: ClockOffset }): AuditEvent {
  return offset === undefined ? event : { ...event, offset: offset.seconds };
}

/** How many recovery keys remain after one was used. */
function remainingOf({ outcome, factor }: Said): Pick<AuditEvent, 'remaining'> {
  if (factor === undefined || (outcome !== 'success' && outcome !== 'accepted')) return {};
  const remaining = kindOf(factor).auditedRemaining?.(factor);
  return remaining === undefined ? {} : { remaining };
}
