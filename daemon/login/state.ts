import type { Answer } from '../factors/answers/answer-format.ts';
import type { Assertion } from '../factors/contract.ts';
import type { FidoEvent, FidoReason } from '../host/contract.ts';
import { limits } from '../limits.ts';
import type { DaemonFrame, HelloFrame, ModuleFrame } from '../protocol/login.ts';
import type { KeyOption } from '../verifier/contract.ts';
import type { AbandonReason, Opening, OpenLogin, ResultCode, Verdict } from '../verifier/verifier.ts';

/** A login with an open prompt, as it goes from one prompt to the next. */
export interface OpenPrompt {
  readonly login: OpenLogin;
  /** The module can ask at the terminal of the program. */
  readonly atTerminal: boolean;
  /** The prompt where only typing is possible. */
  readonly prompt: string;
  /** Shown with the next prompt, once. */
  readonly secret?: string;
  /** Answers so far, typed and by keys. */
  readonly answers: number;
  /** Digest of the last typed answer. */
  readonly last?: string;
  readonly key?: KeyAsked;
}

/** A security key that may answer too. */
export interface KeyAsked {
  readonly offer: KeyOption;
  /** The program can withdraw a prompt: a touch is enough. */
  readonly atTerminal: boolean;
  /** off: no key blinks; on: a touch is pending; otherwise the answer of a key that has not been handled yet. */
  readonly now: 'off' | 'on' | KeyResponse;
}

/** What ends a pending touch. */
export type KeyResponse =
  | { readonly kind: 'touched'; readonly assertion: Assertion }
  | { readonly kind: 'failed'; readonly reason: FidoReason }
  /** Continues once the key has its PIN. */
  | Extract<FidoEvent, { kind: 'pin' }>;

export type State =
  | { readonly at: 'hello' }
  /** The verifier decides how the login begins. */
  | { readonly at: 'opening'; readonly atTerminal: boolean }
  | { readonly at: 'prompted'; readonly asked: OpenPrompt }
  /** A key has answered while a prompt was open: the prompt is withdrawn, or its answer arrives. */
  | { readonly at: 'withdrawing'; readonly asked: OpenPrompt; readonly said: KeyResponse }
  /** No prompt is open; a touch is pending. */
  | { readonly at: 'touching'; readonly asked: OpenPrompt }
  /** The prompt is for the PIN of a key. */
  | { readonly at: 'pin'; readonly asked: OpenPrompt }
  /** The verifier evaluates an answer. */
  | { readonly at: 'evaluating'; readonly asked: OpenPrompt }
  /** A refusal is delayed. */
  | { readonly at: 'holding'; readonly then: Step }
  | { readonly at: 'over' };

export type Event =
  | { readonly kind: 'frame'; readonly frame: ModuleFrame }
  | { readonly kind: 'opened'; readonly opening: Opening }
  /** No slot is free for such a login; the refusal is delayed by this many milliseconds. */
  | { readonly kind: 'over-limit'; readonly holdFor: number }
  | { readonly kind: 'evaluated'; readonly verdict: Verdict }
  /** Of the pending touch. */
  | { readonly kind: 'key'; readonly said: KeyResponse | FidoEvent }
  /** The verifier threw, or the peer broke the protocol. */
  | { readonly kind: 'failed' }
  | { readonly kind: 'held' }
  | { readonly kind: 'deadline' }
  | { readonly kind: 'closed' };

export type Effect =
  | { readonly do: 'open'; readonly hello: HelloFrame }
  | { readonly do: 'evaluate'; readonly login: OpenLogin; readonly answer: Answer }
  | {
      readonly do: 'abandon';
      readonly login: OpenLogin;
      readonly reason: AbandonReason;
    }
  /** The keys of this machine blink, or an approval page waits, until there is an answer. */
  | { readonly do: 'touch'; readonly offer: KeyOption }
  | { readonly do: 'pin'; readonly pin: Buffer }
  /** They stop. */
  | { readonly do: 'untouch' }
  | { readonly do: 'send'; readonly frame: DaemonFrame }
  | { readonly do: 'hold'; readonly ms: number }
  | { readonly do: 'close' };

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}

export const stay = (state: State): Step => ({ state, effects: [] });

export function send(type: 'info' | 'error', text: string | undefined): readonly Effect[] {
  return text === undefined ? [] : [{ do: 'send', frame: { type, text } }];
}

/** The end of the call. */
export function result(
  code: ResultCode,
  options: { readonly strip?: number; readonly error?: string; readonly info?: string } = {},
): Step {
  const effects: Effect[] = [
    ...send('error', options.error),
    ...send('info', options.info),
    { do: 'send', frame: { type: 'result', code, strip: options.strip ?? 0 } },
    { do: 'close' },
  ];
  return { state: { at: 'over' }, effects };
}

export function abandoned(step: Step, login: OpenLogin, reason: AbandonReason): Step {
  return { state: step.state, effects: [...step.effects, { do: 'abandon', login, reason }] };
}

export function withKey(asked: OpenPrompt, now: KeyAsked['now']): OpenPrompt {
  return asked.key === undefined ? asked : { ...asked, key: { ...asked.key, now } };
}

/** The prompt where only typing is possible, and a state that waits for its answer. @param before effects that precede it */
export function askTyped(open: OpenPrompt, before: readonly Effect[] = []): Step {
  const { secret, ...asked } = open;
  return { state: { at: 'prompted', asked }, effects: promptEffects(open, asked.prompt, false, before) };
}

/**
 * Where the module asks at the terminal, secrets go there with the prompt and not through the program, which may show
 * them elsewhere (standard output of su and sudo is often a file).
 * @param withdrawable the prompt may be withdrawn
 */
export function promptEffects(
  { secret, atTerminal, login }: OpenPrompt,
  question: string,
  withdrawable: boolean,
  before: readonly Effect[],
): readonly Effect[] {
  const isSecret = secret !== undefined || login.enrolment !== undefined;
  const there = withdrawable || (isSecret && atTerminal);
  const text = there && secret !== undefined ? `${secret}\n${question}` : question;
  const shown = there ? before : [...before, ...send('info', secret)];
  return [...shown, { do: 'send', frame: { type: 'prompt', text, style: there ? 'terminal' : 'hidden' } }];
}

/** After an attempt: the prompt again, or the end. */
export function again(asked: OpenPrompt, error: string | undefined, ask: () => Step): Step {
  return asked.answers >= limits.answersPerCall
    ? result('maxtries', error === undefined ? {} : { error })
    : ask();
}
