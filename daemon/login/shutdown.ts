import { stoppingText } from '../verifier/prompt-texts.ts';
import { step, waitingFor } from './session.ts';
import { abandoned, type Event, result, type State, type Step } from './state.ts';

/**
 * The last steps of a login while the daemon stops.
 *
 * Invariants:
 * - a decided result is sent as decided, since it is durable already; nothing else lets a login in;
 * - no new prompt is sent: a user at a prompt, or about to get one, is shown a message to try again, with
 *   SYSTEM_ERR.
 */

/** Whether the verifier, or the frame that begins the login, is still pending. */
export function isUndecided({ at }: State): boolean {
  return at === 'hello' || at === 'opening' || at === 'evaluating';
}

/** As `step`, once the daemon is stopping. */
export function stepDuringShutdown(state: State, event: Event): Step {
  const next = step(state, event);
  return isUndecided(next.state) || next.state.at === 'over' ? next : shutdownStep(next.state);
}

/** The time is over: ends a login in any state. */
export function shutdownStep(state: State): Step {
  const asked = waitingFor(state);
  const end = result('system-err', { error: stoppingText });
  return asked === undefined ? end : abandoned(end, asked.login, 'stopped');
}
