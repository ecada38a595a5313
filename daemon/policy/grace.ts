import type { Realm } from '../config/contract.ts';
import { formatDuration } from '../lib/units.ts';
import type { Exemption, LoginFacts } from './contract.ts';
import {
  type Decision,
  type DecisionContext,
  type DecisionInput,
  date,
  notNeededDecision,
  refusedDecision,
} from './decision.ts';

/** Decides for an account without any factor, in a realm that has a grace period. */
export function byGrace(question: DecisionInput, realm: Realm, say: DecisionContext): Decision {
  const { state, facts, now } = question;
  const { line } = realm;
  const started = state.graceStarted;
  const span = realm.graceMs === undefined ? '' : ` of ${formatDuration(realm.graceMs)}`;
  if (started !== undefined && now < started) {
    const detail = `the clock is before ${date(started)}, when the grace period began, so the grace period is void`;
    return refusedDecision('grace-clock', say, line, detail);
  }
  const end = realm.graceUntil ?? (started ?? now) + (realm.graceMs ?? 0);
  if (now >= end) {
    return refusedDecision(
      'grace-expired',
      say,
      line,
      `the account has no factor, and its grace period${span} ended on ${date(end)}`,
    );
  }
  const text = `A second factor is required from ${date(end)} on. Ask your administrator to add one.`;
  if (started !== undefined) {
    return {
      ...notNeededDecision('grace', say, line, `the grace period${span} lasts until ${date(end)}`),
      text,
    };
  }
  if (!facts.firstFactorVerified) {
    const detail =
      'the account has no factor, and only a login whose first factor is verified starts the grace period';
    return refusedDecision('no-factor', say, line, detail);
  }
  const detail = `the grace period${span} begins with this login and lasts until ${date(end)}`;
  return { ...notNeededDecision('grace', say, line, detail), startGrace: true, text };
}

/**
 * The exemption that applies to this login; undefined if no exemption applies.
 *
 * Invariants:
 * - it applies from its beginning up to its end, so that a clock that was set back voids it;
 * - never in the portal: changing factors always requires one;
 * - on pam-user.sock, where a program chooses the service name itself, only an exemption for every service applies.
 */
export function activeExemption(
  exemption: Exemption | undefined,
  { service, rootSocket }: Pick<LoginFacts, 'service' | 'rootSocket'>,
  isPortal: boolean,
  now: number,
): Exemption | undefined {
  if (exemption === undefined || isPortal) return undefined;
  if (!isRunning(exemption, now)) return undefined;
  const { services } = exemption;
  const fits = services === undefined || (rootSocket && services.includes(service));
  return fits ? exemption : undefined;
}

export function isRunning({ since, until }: Exemption, now: number): boolean {
  return since <= now && now < until;
}
