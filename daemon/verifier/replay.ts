import { createHash } from 'node:crypto';
import type { Realm } from '../config/contract.ts';
import type { AnswerFormat } from '../factors/contract.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import { limits } from '../limits.ts';
import type { AcceptedAnswer } from '../store/contract.ts';
import { type EvaluationInput, formatsIn } from './evaluate-answer.ts';

/**
 * Replays of the answer that was accepted last: two programs, or two fingers, that send the same right answer at once.
 *
 * Invariants:
 * - a replay is only ever refused: what is said here decides whether a refusal counts, and nothing else;
 * - only the answer that was accepted last is known, of this very account, and only while its own window lasts: it
 *   guesses nothing. An older one, or a recorded one, counts as wrong;
 * - what is kept is a digest of an answer that is spent;
 * - a clock that was set back makes it count.
 */
export function acceptedAnswer(
  shape: AnswerFormat,
  account: string,
  factor: FactorRecord,
  { totp }: Pick<Realm, 'totp'>,
  now: number,
): AcceptedAnswer | undefined {
  if (!('text' in shape)) return undefined;
  // The longest that a TOTP code may still be in its window; what has none is given the time of a retry.
  const window = factor.kind === 'totp' ? (2 * totp.skew + 1) * factor.period * 1_000 : limits.replayWindow;
  return { digest: digestOf(account, shape.kind, shape.text), at: now, until: now + window };
}

/** Whether an answer that no factor accepts is the one that was accepted last. */
export function isReplay(
  accepted: AcceptedAnswer | undefined,
  account: string,
  question: Pick<EvaluationInput, 'answer' | 'where' | 'factors'>,
  now: number,
): boolean {
  if (accepted === undefined || now < accepted.at || now >= accepted.until) return false;
  return formatsIn(question).some(
    (shape) => 'text' in shape && digestOf(account, shape.kind, shape.text) === accepted.digest,
  );
}

function digestOf(account: string, kind: AnswerFormat['kind'], text: string): string {
  return createHash('sha256')
    .update(`${account}\0${kind}\0${text}`)
    .digest()
    .subarray(0, 16)
    .toString('base64');
}
