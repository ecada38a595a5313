import {
  type DecisionBasis,
  type NotNeeded,
  type Refused,
  type RefusedReason,
  refusals,
} from './decision.ts';

/** What a decision says of itself, but for what made it. */
export type DecisionContext = Omit<DecisionBasis, 'line' | 'detail'>;

export function notNeededDecision(
  why: NotNeeded['why'],
  say: DecisionContext,
  line: number,
  detail: string,
): NotNeeded {
  return { kind: 'not-needed', why, ...say, line, detail };
}

export function refusedDecision(
  why: RefusedReason,
  say: DecisionContext,
  line: number,
  detail: string,
): Refused {
  return { kind: 'refused', why, ...refusals[why], ...say, line, detail };
}

/** To the minute, in UTC. */
export function date(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
