import type { Realm } from '../config/contract.ts';
import { formatDuration } from '../config/duration.ts';
import type { DecisionInput } from './decide.ts';
import type { Decision } from './decision.ts';
import { type DecisionContext, date, notNeededDecision, refusedDecision } from './decision-builders.ts';

/** An account without any factor, in a realm that gives it time. */
export function byGrace(question: DecisionInput, realm: Realm, say: DecisionContext): Decision {
  const { state, facts, now } = question;
  const { line } = realm;
  const started = state.graceStarted;
  const span = realm.graceMs === undefined ? '' : ` of ${formatDuration(realm.graceMs)}`;
  if (started !== undefined && now < started) {
    const sentence = `the clock stands before ${date(started)}, when the grace period began, so it counts for nothing`;
    return refusedDecision('grace-clock', say, line, sentence);
  }
  const end = realm.graceUntil ?? (started ?? now) + (realm.graceMs ?? 0);
  if (now >= end) {
    return refusedDecision(
      'grace-over',
      say,
      line,
      `the account has no factor, and its grace period${span} ended on ${date(end)}`,
    );
  }
  const text = `A second factor is required from ${date(end)} on. Ask your administrator to add one.`;
  if (started !== undefined) {
    return {
      ...notNeededDecision('grace', say, line, `the grace period${span} goes on until ${date(end)}`),
      text,
    };
  }
  if (!facts.proven) {
    const sentence = 'the account has no factor, and a login that is not proven starts no grace period';
    return refusedDecision('no-factor', say, line, sentence);
  }
  const sentence = `the grace period${span} begins with this login and goes on until ${date(end)}`;
  return { ...notNeededDecision('grace', say, line, sentence), startGrace: true, text };
}
