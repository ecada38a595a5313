import { createHash } from 'node:crypto';
import { unreachable } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Opening, OpenLogin, ResultCode, Verdict } from '../verifier.ts';
import type { DaemonFrame, HelloFrame, ModuleFrame } from './frames.ts';

/**
 * One login as a state machine, written as data: step(state, event) gives the next state and what is
 * to be done. The socket server does it and knows nothing else.
 *
 * MUST hold:
 * - SUCCESS and IGNORE leave only on an opening or a verdict of the verifier that says so;
 * - after RESULT nothing is sent, and a verdict that comes too late is dropped;
 * - one answer to one prompt; anything else ends the call;
 * - whatever fails ends in SYSTEM_ERR.
 */
export type State =
  | { readonly at: 'hello' }
  /** The verifier decides how the login begins. */
  | { readonly at: 'opening' }
  | {
      readonly at: 'prompted';
      readonly prompt: string;
      readonly login: OpenLogin;
      readonly answers: number;
      readonly last?: string;
    }
  /** The verifier judges an answer. */
  | {
      readonly at: 'judging';
      readonly prompt: string;
      readonly login: OpenLogin;
      readonly answers: number;
      readonly last: string;
    }
  /** A refusal is held back. */
  | { readonly at: 'holding'; readonly then: Held }
  | { readonly at: 'over' };

/** What follows once a refusal may leave. */
interface Held {
  readonly state: State;
  readonly effects: readonly Effect[];
}

export type Event =
  | { readonly kind: 'frame'; readonly frame: ModuleFrame }
  | { readonly kind: 'opened'; readonly opening: Opening }
  | { readonly kind: 'judged'; readonly verdict: Verdict }
  /** The verifier threw, or the peer broke the protocol. */
  | { readonly kind: 'failed' }
  | { readonly kind: 'held' }
  | { readonly kind: 'deadline' }
  | { readonly kind: 'closed' };

export type Effect =
  | { readonly do: 'open'; readonly hello: HelloFrame }
  | { readonly do: 'judge'; readonly login: OpenLogin; readonly answer: Buffer }
  | {
      readonly do: 'abandon';
      readonly login: OpenLogin;
      readonly reason: 'cancelled' | 'timed-out' | 'disconnected';
    }
  | { readonly do: 'send'; readonly frame: DaemonFrame }
  | { readonly do: 'hold'; readonly ms: number }
  | { readonly do: 'close' };

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}

const stay = (state: State): Step => ({ state, effects: [] });

function result(
  code: ResultCode,
  options: { readonly strip?: number; readonly error?: string; readonly info?: string } = {},
): Step {
  const effects: Effect[] = [];
  if (options.error !== undefined)
    effects.push({ do: 'send', frame: { type: 'error', text: options.error } });
  if (options.info !== undefined) effects.push({ do: 'send', frame: { type: 'info', text: options.info } });
  effects.push({ do: 'send', frame: { type: 'result', code, strip: options.strip ?? 0 } }, { do: 'close' });
  return { state: { at: 'over' }, effects };
}

function abandoned(step: Step, login: OpenLogin, reason: 'cancelled' | 'timed-out' | 'disconnected'): Step {
  return { state: step.state, effects: [...step.effects, { do: 'abandon', login, reason }] };
}

function ask(prompt: string, login: OpenLogin, answers: number, last?: string): State {
  return { at: 'prompted', prompt, login, answers, ...(last === undefined ? {} : { last }) };
}

function promptEffect(prompt: string): Effect {
  return { do: 'send', frame: { type: 'prompt', text: prompt, echo: false } };
}

function onOpened(opening: Opening): Step {
  if (opening.kind === 'done') {
    const { result: code, text } = opening;
    if (text === undefined) return result(code);
    return result(code, code === 'ignore' || code === 'success' ? { info: text } : { error: text });
  }
  const text: Effect[] =
    opening.text === undefined ? [] : [{ do: 'send', frame: { type: 'info', text: opening.text } }];
  return { state: ask(opening.prompt, opening.login, 0), effects: [...text, promptEffect(opening.prompt)] };
}

/** Told apart by digest, so that what was typed need not be kept. */
function digest(answer: Buffer): string {
  return createHash('sha256').update(answer).digest('base64');
}

function onAnswer(state: State & { at: 'prompted' }, answer: Buffer): Step {
  const last = digest(answer);
  // A program that answers every prompt with the password would otherwise lock its user.
  if (last === state.last) {
    answer.fill(0);
    return abandoned(result('auth-err'), state.login, 'cancelled');
  }
  return {
    state: { at: 'judging', prompt: state.prompt, login: state.login, answers: state.answers + 1, last },
    effects: [{ do: 'judge', login: state.login, answer }],
  };
}

function refusal(state: State & { at: 'judging' }, verdict: Verdict & { kind: 'refused' }): Step {
  const error = verdict.text === undefined ? {} : { error: verdict.text };
  if (!verdict.again) return result(verdict.result, error);
  if (state.answers >= limits.answersPerCall) return result('maxtries', error);
  const text: Effect[] =
    verdict.text === undefined ? [] : [{ do: 'send', frame: { type: 'error', text: verdict.text } }];
  return {
    state: ask(state.prompt, verdict.login, state.answers, state.last),
    effects: [...text, promptEffect(state.prompt)],
  };
}

function onJudged(state: State & { at: 'judging' }, verdict: Verdict): Step {
  switch (verdict.kind) {
    case 'accepted':
      return result(verdict.result, {
        strip: verdict.strip,
        ...(verdict.text === undefined ? {} : { info: verdict.text }),
      });
    case 'refused': {
      const then = refusal(state, verdict);
      if (verdict.delay <= 0) return then;
      return { state: { at: 'holding', then }, effects: [{ do: 'hold', ms: verdict.delay }] };
    }
    default:
      return unreachable(verdict);
  }
}

function onFrame(state: State, frame: ModuleFrame): Step {
  if (state.at === 'hello' && frame.type === 'hello')
    return { state: { at: 'opening' }, effects: [{ do: 'open', hello: frame }] };
  if (state.at === 'prompted' && frame.type === 'answer') return onAnswer(state, frame.answer);
  if (state.at === 'prompted' && frame.type === 'cancel')
    return abandoned(result('auth-err'), state.login, 'cancelled');
  // ^C may cross a RESULT or a PROMPT on its way.
  if (frame.type === 'cancel') return { state: { at: 'over' }, effects: [{ do: 'close' }] };
  if (frame.type === 'answer') frame.answer.fill(0);
  return broken(state);
}

/** What must not happen ends in SYSTEM_ERR; one who stood at the prompt is written down all the same. */
function broken(state: State): Step {
  const step = result('system-err');
  return state.at === 'prompted' ? abandoned(step, state.login, 'disconnected') : step;
}

function onDeadline(state: State): Step {
  const step = result('auth-err');
  return state.at === 'prompted' ? abandoned(step, state.login, 'timed-out') : step;
}

function onClosed(state: State): Step {
  const step: Step = { state: { at: 'over' }, effects: [{ do: 'close' }] };
  return state.at === 'prompted' ? abandoned(step, state.login, 'disconnected') : step;
}

/** Pure but for wiping the answers that it drops. */
export function step(state: State, event: Event): Step {
  if (state.at === 'over') {
    if (event.kind === 'frame' && event.frame.type === 'answer') event.frame.answer.fill(0);
    return stay(state);
  }
  switch (event.kind) {
    case 'frame':
      return onFrame(state, event.frame);
    case 'opened':
      return state.at === 'opening' ? onOpened(event.opening) : broken(state);
    case 'judged':
      return state.at === 'judging' ? onJudged(state, event.verdict) : broken(state);
    case 'held':
      return state.at === 'holding' ? state.then : broken(state);
    case 'failed':
      return broken(state);
    case 'deadline':
      return onDeadline(state);
    case 'closed':
      return onClosed(state);
    default:
      return unreachable(event);
  }
}
