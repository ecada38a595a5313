import { createHash } from 'node:crypto';
import type { Realm } from '../config/contract.ts';
import type { AnswerFormat } from '../factors/contract.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import { kindOf } from '../factors/kinds.ts';
import { limits } from '../limits.ts';
import type { AcceptedAnswer } from '../store/contract.ts';
import { type EvaluationInput, formatsIn } from './evaluate-answer.ts';

/**
 * Replays of the answer that was accepted last: two programs, or two fingers, that send the same correct answer at
 * once.
 *
 * Invariants:
 * - a replay is always refused: this only decides whether the refusal counts;
 * - only the answer that was accepted last is recognised, of this account, and only within its own window: it
 *   guesses nothing. An older or recorded one counts as wrong;
 * - only a digest is kept, of an answer that is consumed;
 * - if the clock was set back, the replay counts.
 */
export function acceptedAnswer(
  format: AnswerFormat,
  account: string,
  factor: FactorRecord,
  terms: Pick<Realm, 'totp'>,
  now: number,
): AcceptedAnswer | undefined {
  if (!('text' in format)) return undefined;
  const window = kindOf(factor).replayWindow?.(factor, terms) ?? limits.replayWindow;
  return { digest: digestOf(account, format.kind, format.text), at: now, until: now + window };
}

/** @returns the form of an answer that no factor accepts, if it is the one that was accepted last */
export function replayIn(
  accepted: AcceptedAnswer | undefined,
  account: string,
  question: Pick<EvaluationInput, 'answer' | 'where' | 'factors'>,
  now: number,
): AnswerFormat | undefined {
  if (accepted === undefined || now < accepted.at || now >= accepted.until) return undefined;
  return formatsIn(question).find(
    (format) => 'text' in format && digestOf(account, format.kind, format.text) === accepted.digest,
  );
}

function digestOf(account: string, kind: AnswerFormat['kind'], text: string): string {
  return createHash('sha256')
    .update(`${account}\0${kind}\0${text}`)
    .digest()
    .subarray(0, 16)
    .toString('base64');
}
