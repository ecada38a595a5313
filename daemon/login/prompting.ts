import type { FidoReason } from '../host/contract.ts';
import { limits } from '../limits.ts';
import { keyFailureText, keyPrompt, pinPrompt, touchText } from '../verifier/prompt-texts.ts';
import type { OpenLogin } from '../verifier/verifier.ts';
import {
  abandoned,
  type Effect,
  type KeyAsked,
  type KeyResponse,
  type OpenPrompt,
  result,
  type Step,
  send,
  withKey,
} from './state.ts';

/**
 * What the screen shows to a user who may type an answer or touch a security key.
 *
 * Invariants:
 * - keys blink only in a login whose opening offers them, and a prompt of it accepts a WITHDRAW only while they do
 *   and if the program can withdraw a prompt;
 * - an answer of a key goes to the verifier, and has no other effect;
 * - where the module asks at the terminal, secrets go there with the prompt and not through the program, which may
 *   show them elsewhere (standard output of su and sudo is often a file);
 * - each attempt, typed or by a key, is one of the answers of the call.
 */

/** The prompt, and a state that waits for its answer. @param before effects that precede it */
export function ask({ secret, ...asked }: OpenPrompt, before: readonly Effect[] = []): Step {
  const { key } = asked;
  const denial = denialIn(key?.now);
  if (denial !== undefined) {
    const step = act(asked, denial);
    return { state: step.state, effects: [...before, ...step.effects] };
  }
  const blinks = key !== undefined && key.now !== 'off';
  const open = blinks && key.atTerminal;
  const question = key === undefined ? asked.prompt : keyPrompt(howToUse(key), key.offer.typed);
  const isSecret = secret !== undefined || asked.login.enrolment !== undefined;
  const atTerminal = open || (isSecret && asked.atTerminal);
  const text = atTerminal && secret !== undefined ? `${secret}\n${question}` : question;
  const shown = atTerminal ? before : [...before, ...send('info', secret)];
  const frame = { type: 'prompt', text, style: atTerminal ? 'terminal' : 'hidden' } as const;
  const step: Step = { state: { at: 'prompted', asked }, effects: [...shown, { do: 'send', frame }] };
  // It was touched while the program could not be notified.
  return open && key.now !== 'on' ? withdraw(asked, key.now, step.effects) : step;
}

/** The user has denied this login in the browser. */
export function denialIn(said: KeyAsked['now'] | undefined): KeyResponse | undefined {
  if (typeof said !== 'object' || said.kind !== 'failed' || said.reason !== 'denied') return undefined;
  return said;
}

function howToUse({ offer, atTerminal, now }: KeyAsked): Parameters<typeof keyPrompt>[0] {
  if (now === 'off') return 'enter';
  if (offer.place === 'approval') return atTerminal ? 'approve' : 'approve-and-enter';
  return atTerminal ? 'touch' : 'touch-and-enter';
}

/** After an attempt: the prompt again, or the end. */
export function askAgain(asked: OpenPrompt, error: string | undefined, before: readonly Effect[] = []): Step {
  if (asked.answers >= limits.answersPerCall) return result('maxtries', error === undefined ? {} : { error });
  return ask(asked, [...send('error', error), ...before]);
}

/** An attempt that the verifier never saw: if it ends the call, that is recorded. */
export function unevaluated(step: Step, login: OpenLogin): Step {
  return step.state.at === 'over' ? abandoned(step, login, 'cancelled') : step;
}

export function withdraw(asked: OpenPrompt, said: KeyResponse, before: readonly Effect[] = []): Step {
  const effects: Effect[] = [...before, { do: 'send', frame: { type: 'withdraw' } }];
  return { state: { at: 'withdrawing', asked, said }, effects };
}

/** Lets the keys blink. */
export function touch(asked: OpenPrompt): readonly Effect[] {
  return asked.key === undefined ? [] : [{ do: 'touch', offer: asked.key.offer }];
}

/** Enter without a code, where a security key may answer. */
export function onEnter(asked: OpenPrompt): Step {
  const { key } = asked;
  if (key === undefined) return ask(asked);
  if (typeof key.now !== 'string') return act(asked, key.now);
  if (key.now === 'off')
    return { state: { at: 'touching', asked: withKey(asked, 'on') }, effects: touch(asked) };
  // At a terminal asking again loses nothing, and a code can still be typed.
  if (key.atTerminal)
    return unevaluated(askAgain({ ...asked, answers: asked.answers + 1 }, undefined), asked.login);
  const what = key.offer.place === 'approval' ? 'approve' : 'touch';
  return { state: { at: 'touching', asked }, effects: send('info', touchText(what)) };
}

/** The answer of a key, now that no prompt is open. */
export function act(asked: OpenPrompt, said: KeyResponse): Step {
  switch (said.kind) {
    case 'touched': {
      const next = { ...withKey(asked, 'off'), answers: asked.answers + 1 };
      const { login } = asked;
      return {
        state: { at: 'evaluating', asked: next },
        effects: [{ do: 'evaluate', login, answer: said.assertion }],
      };
    }
    case 'pin': {
      const frame = { type: 'prompt', text: pinPrompt(said), style: 'hidden' } as const;
      return { state: { at: 'pin', asked: withKey(asked, 'on') }, effects: [{ do: 'send', frame }] };
    }
    case 'failed': {
      if (asked.key?.offer.place === 'approval') return notApproved(asked, said.reason);
      // Another key may be the right one; any other error would occur again.
      const again = said.reason === 'wrong-key';
      const next = { ...withKey(asked, again ? 'on' : 'off'), answers: asked.answers + 1 };
      const step = askAgain(next, keyFailureText(said.reason), again ? touch(asked) : []);
      return unevaluated(step, asked.login);
    }
  }
}

/** A denial ends the login; if the approval was not answered, a code can still be typed. */
function notApproved(asked: OpenPrompt, reason: FidoReason): Step {
  const error = reason === 'denied' ? keyFailureText(reason) : 'Approval timed out.';
  if (reason === 'denied') return abandoned(result('auth-err', { error }), asked.login, 'denied');
  if (asked.key?.offer.typed === undefined)
    return abandoned(result('auth-err', { error }), asked.login, 'timed-out');
  const { key: _, ...onlyTyped } = asked;
  return askAgain({ ...onlyTyped, answers: asked.answers + 1 }, error);
}
