import type { EventOrigin } from '../audit/aggregates.ts';
import type { Answer } from '../factors/answers/answer-format.ts';
import type { RejectReason } from '../factors/contract.ts';
import { networkKey } from '../lib/network-key.ts';
import type { LoginFacts } from '../policy/contract.ts';
import { isTypedCode } from '../policy/requirement.ts';
import type { AnswerContext } from './answer-context.ts';
import type { OpenLogin, Verdict } from './contract.ts';
import type { Evaluation } from './evaluate-answer.ts';
import { layoutText, refusalText } from './refusal-texts.ts';

export type Refusal = Verdict & { kind: 'refused' };

/** @param refusal again: the call may go on; delay: milliseconds by which the frame is delayed */
export function refused(
  login: OpenLogin,
  refusal: { result: Refusal['result']; again?: boolean; text?: string; delay?: number; repeats?: true },
): Refusal {
  const { again = false, delay = 0, ...rest } = refusal;
  return { kind: 'refused', again, delay, login, ...rest };
}

/** A typing mistake guesses nothing, and is asked again; a security key makes no typing mistakes. */
export function withoutFormat(login: OpenLogin, answer: Answer, layouts?: readonly string[]): Refusal {
  return refused(login, {
    result: 'auth-err',
    again: Buffer.isBuffer(answer),
    text: layouts === undefined ? refusalText('unknown-format') : layoutText(layouts),
  });
}

/** Whether a lockout of typed codes leaves other factors: a recovery key, a security key. */
export function hasMoreThanCodes(answerContext: AnswerContext): boolean {
  return answerContext.factors.some((factor) => !isTypedCode(factor));
}

/**
 * With such a clock, just after a restore, or without the servers, no code can be correct; and the answer that was
 * accepted a moment ago guesses nothing. None of these may lock an account.
 */
export function isUncounted({ reason, repeats }: Evaluation & { outcome: 'refused' }): boolean {
  return repeats !== undefined || nowhere.has(reason);
}

const nowhere: ReadonlySet<RejectReason> = new Set(['clock', 'restored', 'unavailable']);

/** The facts that identify where a login comes from. */
type LoginOrigin = Pick<LoginFacts, 'rootSocket' | 'peerUid' | 'source' | 'rhost' | 'realUid' | 'tty'>;

/** Where a try comes from, for the rate limiter, the tallies and the places of unverified logins. */
export function originOf(facts: LoginOrigin): string {
  if (!facts.rootSocket) return `uid:${facts.peerUid}`;
  // On this machine each user has separate attempts, so that no user can use up those of another. Not by terminal:
  // a user can open many.
  if (facts.realUid !== 0) return `local:${facts.realUid}`;
  return facts.source ?? facts.rhost ?? `local:0:${facts.tty ?? ''}`;
}

/** The same party as the log names it: its lines are bounded by these fields (lib/bounded-log.ts). */
export function logPartyOf(facts: LoginFacts): { readonly uid: number } | { readonly address: string } {
  if (!facts.rootSocket) return { uid: facts.peerUid };
  const source = facts.source ?? facts.rhost;
  return source === undefined || facts.realUid !== 0 ? { uid: facts.realUid } : { address: source };
}

/** Groups events of logins without a verified factor; on this machine, those of one real uid. */
export function eventOriginOf(facts: LoginFacts): EventOrigin {
  if (!facts.rootSocket) return { way: 'user-socket', party: `uid:${facts.peerUid}` };
  const source = facts.source ?? facts.rhost;
  return { way: 'root-socket', party: source === undefined ? `uid:${facts.realUid}` : networkKey(source) };
}
