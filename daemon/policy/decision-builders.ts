import { type Ground, type NotNeeded, type Refused, type RefusedWhy, refusals } from './decision.ts';

/** What a decision says of itself, but for what made it. */
export type Say = Omit<Ground, 'line' | 'sentence'>;

export function pass(why: NotNeeded['why'], say: Say, line: number, sentence: string): NotNeeded {
  return { kind: 'not-needed', why, ...say, line, sentence };
}

export function refuse(why: RefusedWhy, say: Say, line: number, sentence: string): Refused {
  return { kind: 'refused', why, ...refusals[why], ...say, line, sentence };
}

/** To the minute, in UTC. */
export function date(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
