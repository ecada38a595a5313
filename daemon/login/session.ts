import { isBlank } from '../factors/answers/reading.ts';
import { answerDigest } from '../factors/answers/spelling.ts';
import { unreachable } from '../lib/errors.ts';
import type { ModuleFrame } from '../protocol/login.ts';
import type { Opening, Verdict } from '../verifier/verifier.ts';
import { act, ask, besideTyping, denialIn, onKey, onPin, openWithKey } from './keys.ts';
import {
  abandoned,
  again,
  askTyped,
  type Effect,
  type Event,
  type OpenPrompt,
  result,
  type State,
  type Step,
  send,
  stay,
  withKey,
} from './state.ts';

export type { Effect, Event, State, Step } from './state.ts';

/**
 * One login as a state machine, written as data: step(state, event) gives the next state and the effects to carry
 * out. The socket server carries them out and decides nothing.
 *
 * Invariants:
 * - SUCCESS and IGNORE are sent only on an opening or a verdict of the verifier that says so, and never while a
 *   prompt is open;
 * - after RESULT nothing is sent, and a late verdict or touch is dropped;
 * - one answer to one prompt; anything else ends the call;
 * - after a denial in the browser no typed answer is accepted;
 * - any error ends in SYSTEM_ERR.
 */

function onOpened(opening: Opening, atTerminal: boolean): Step {
  if (opening.kind === 'done') {
    const { result: code, text } = opening;
    if (text === undefined) return result(code);
    return result(code, code === 'ignore' || code === 'success' ? { info: text } : { error: text });
  }
  const { prompt, login, key: offer, text, secret } = opening;
  const asked = { prompt, login, atTerminal, answers: 0, ...(secret === undefined ? {} : { secret }) };
  const before = send('info', text);
  return offer === undefined ? askTyped(asked, before) : openWithKey(asked, offer, before);
}

/** The prompt, with the keys that may answer too. */
function askWith(asked: OpenPrompt, before: readonly Effect[] = []): Step {
  return asked.key === undefined ? askTyped(asked, before) : ask(asked, before);
}

function onTyped(asked: OpenPrompt, answer: Buffer): Step {
  const answered = asked.key === undefined ? undefined : besideTyping(asked, answer);
  if (answered !== undefined) return answered;
  const last = answerDigest(answer);
  // Ends a program that answers every prompt with the password, or with an empty answer, in any encoding.
  if (last === asked.last) {
    answer.fill(0);
    return abandoned(result('auth-err'), asked.login, 'cancelled');
  }
  return {
    state: { at: 'evaluating', asked: { ...asked, answers: asked.answers + 1, last } },
    effects: [{ do: 'evaluate', login: asked.login, answer }],
  };
}

function onWithdrawn({ asked, said }: State & { at: 'withdrawing' }, answer?: Buffer): Step {
  if (answer === undefined) return act(asked, said);
  // Both crossed: what was typed counts if the key gives no answer.
  const isNo = denialIn(said) !== undefined;
  if (said.kind === 'failed' && !isNo && !isBlank(answer)) return onTyped(withKey(asked, 'off'), answer);
  answer.fill(0);
  return act(asked, said);
}

function onEvaluated({ asked }: State & { at: 'evaluating' }, verdict: Verdict): Step {
  switch (verdict.kind) {
    case 'accepted': {
      const { result: code, strip, text, delay = 0 } = verdict;
      return held(result(code, { strip, ...(text === undefined ? {} : { info: text }) }), delay);
    }
    case 'next': {
      const { prompt, secret, login } = verdict;
      const { last: _, ...rest } = asked;
      return askWith({ ...rest, prompt, login, answers: 0, secret });
    }
    case 'refused': {
      const { text, login, delay } = verdict;
      const then = verdict.again
        ? again(asked, text, () => askWith({ ...asked, login }, send('error', text)))
        : result(verdict.result, text === undefined ? {} : { error: text });
      return held(then, delay);
    }
    default:
      return unreachable(verdict);
  }
}

function held(then: Step, ms: number): Step {
  return ms <= 0 ? then : { state: { at: 'holding', then }, effects: [{ do: 'hold', ms }] };
}

function onFrame(state: State, frame: ModuleFrame): Step {
  switch (frame.type) {
    case 'hello':
      if (state.at !== 'hello') return broken(state);
      return {
        state: { at: 'opening', atTerminal: frame.terminal },
        effects: [{ do: 'open', hello: frame }],
      };
    case 'answer':
      if (state.at === 'prompted') return onTyped(state.asked, frame.answer);
      if (state.at === 'withdrawing') return onWithdrawn(state, frame.answer);
      if (state.at === 'pin') return onPin(state.asked, frame.answer);
      frame.answer.fill(0);
      return broken(state);
    case 'withdrawn':
      return state.at === 'withdrawing' ? onWithdrawn(state) : broken(state);
    case 'cancel': {
      const asked = waitingFor(state);
      if (asked !== undefined) return abandoned(result('auth-err'), asked.login, 'cancelled');
      // ^C may cross a RESULT or a PROMPT.
      return { state: { at: 'over' }, effects: [{ do: 'close' }] };
    }
    default:
      return unreachable(frame);
  }
}

/** Whether the login waits for an action of the user. */
export function waitingFor(state: State): OpenPrompt | undefined {
  const { at } = state;
  return at === 'prompted' || at === 'withdrawing' || at === 'touching' || at === 'pin'
    ? state.asked
    : undefined;
}

/** @param reason how the user's part in it ended; a login that waited for its user is recorded in any case */
function ended(state: State, step: Step, reason: 'timed-out' | 'disconnected'): Step {
  const asked = waitingFor(state);
  return asked === undefined ? step : abandoned(step, asked.login, reason);
}

/** An impossible event ends in SYSTEM_ERR. */
function broken(state: State): Step {
  return ended(state, result('system-err'), 'disconnected');
}

/** Pure, except that it wipes the answers that it drops. */
export function step(state: State, event: Event): Step {
  if (state.at === 'over') {
    if (event.kind === 'frame' && event.frame.type === 'answer') event.frame.answer.fill(0);
    return stay(state);
  }
  switch (event.kind) {
    case 'frame':
      return onFrame(state, event.frame);
    case 'opened':
      return state.at === 'opening' ? onOpened(event.opening, state.atTerminal) : broken(state);
    case 'over-limit':
      return state.at === 'opening' ? held(result('system-err'), event.holdFor) : broken(state);
    case 'evaluated':
      return state.at === 'evaluating' ? onEvaluated(state, event.verdict) : broken(state);
    case 'key':
      return onKey(state, event.said);
    case 'held':
      return state.at === 'holding' ? state.then : broken(state);
    case 'failed':
      return broken(state);
    case 'deadline':
      // A program that did not run between its connection and HELLO must find a daemon that answers.
      if (state.at === 'hello') return result('system-err');
      return ended(state, result('auth-err'), 'timed-out');
    case 'closed':
      return ended(state, { state: { at: 'over' }, effects: [{ do: 'close' }] }, 'disconnected');
    default:
      return unreachable(event);
  }
}
