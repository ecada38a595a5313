import { limits } from '../limits.ts';
import type { Verdict } from './contract.ts';

/** When the answers of unverified logins leave. */
export interface ResponsePadding {
  /**
   * @param taken milliseconds since the answer came
   * @param mayAsk validation servers may have been asked about an answer of this format, for some account
   */
  hold(verdict: Verdict, taken: number, mayAsk: boolean): Verdict;
}

/**
 * Holds back what an unverified login hears, so that its time tells nothing: "not needed" too, which only accounts hear,
 * while the password is still to be asked. A factor that was right has nothing to hide.
 *
 * Invariants:
 * - an answer is sent on a beat, never in between;
 * - an answer that validation servers may be asked about is sent only after their time limit, for every name,
 *   whether or not they were asked;
 * - under load no name takes longer than another: once one answer misses its beat, all wait as long as it took,
 *   within a bound.
 *
 * @param monotonic milliseconds
 */
export function createResponsePadding(monotonic: () => number): ResponsePadding {
  let slowest = 0;
  let slowSince = 0;

  const slowNow = (taken: number): number => {
    const now = monotonic();
    const known = now - slowSince < limits.slowBeatFor ? slowest : 0;
    if (taken >= known && taken >= limits.refusalBeat) {
      slowest = Math.min(taken, limits.slowestBeat);
      slowSince = now;
    }
    return known;
  };

  return {
    hold(verdict, taken, mayAsk) {
      const isTelling =
        verdict.kind === 'refused' || (verdict.kind === 'accepted' && verdict.result === 'ignore');
      if (!isTelling) return verdict;
      const least = mayAsk ? limits.unverifiedOtpHold : slowNow(taken);
      const beats = Math.floor(Math.max(taken, least) / limits.refusalBeat) + 1;
      return { ...verdict, delay: beats * limits.refusalBeat - taken };
    },
  };
}
