import { stoppingText } from '../verifier/prompt-texts.ts';
import { step, waitingFor } from './session.ts';
import { abandoned, type Event, result, type State, type Step } from './state.ts';

/**
 * The last steps of a login whose daemon stops.
 *
 * MUST hold:
 * - what was decided goes out as it was decided, for it is on disk already; nothing else lets anybody in;
 * - nobody is asked anything any more: whoever stands at a prompt, or would now be led to one, hears that they
 *   must try again, in words and as SYSTEM_ERR.
 */

/** Whether the verifier, or the frame that begins the login, is still waited for. */
export function isUndecided({ at }: State): boolean {
  return at === 'hello' || at === 'opening' || at === 'judging';
}

/** As `step`, once the daemon has been told to stop. */
export function stepDuringShutdown(state: State, event: Event): Step {
  const next = step(state, event);
  return isUndecided(next.state) || next.state.at === 'over' ? next : shutdownStep(next.state);
}

/** No more time: the end of a login in whatever state. */
export function shutdownStep(state: State): Step {
  const asked = waitingFor(state);
  const end = result('system-err', { error: stoppingText });
  return asked === undefined ? end : abandoned(end, asked.login, 'stopped');
}
