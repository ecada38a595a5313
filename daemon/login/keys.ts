import { isBlank, withoutLineEnd } from '../factors/answers/reading.ts';
import type { FidoReason } from '../host/contract.ts';
import type { KeyOption, OpenLogin } from '../verifier/contract.ts';
import {
  approvalText,
  approvalTextWithoutLink,
  keyFailureText,
  keyPrompt,
  pinPrompt,
  touchText,
} from '../verifier/key-texts.ts';
import {
  abandoned,
  again,
  askTyped,
  type Effect,
  type Event,
  type KeyAsked,
  type KeyResponse,
  type OpenPrompt,
  promptEffects,
  result,
  type State,
  type Step,
  send,
  stay,
  withKey,
} from './state.ts';

/**
 * A login in which a security key may answer, beside what is typed.
 *
 * Invariants:
 * - keys blink only in a login whose opening offers them, and a prompt of it accepts a WITHDRAW only while they do
 *   and if the program can withdraw a prompt;
 * - an answer of a key goes to the verifier, and has no other effect;
 * - each attempt, typed or by a key, is one of the answers of the call.
 */

/** The prompt, and a state that waits for its answer. @param before effects that precede it */
export function ask(open: OpenPrompt, before: readonly Effect[] = []): Step {
  const { secret: _, ...asked } = open;
  const { key } = asked;
  if (key === undefined) return askTyped(open, before);
  const denial = denialIn(key.now);
  if (denial !== undefined) {
    const step = act(asked, denial);
    return { state: step.state, effects: [...before, ...step.effects] };
  }
  const withdrawable = key.now !== 'off' && key.atTerminal;
  const question = keyPrompt(howToUse(key), key.offer.typed);
  const effects = promptEffects(open, question, withdrawable, before);
  // It was touched while the program could not be notified.
  if (withdrawable && key.now !== 'on') return withdraw(asked, key.now, effects);
  return { state: { at: 'prompted', asked }, effects };
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
  return again(asked, error, () => ask(asked, [...send('error', error), ...before]));
}

/** An attempt that the verifier never saw: if it ends the call, that is recorded. */
function unevaluated(step: Step, login: OpenLogin): Step {
  return step.state.at === 'over' ? abandoned(step, login, 'cancelled') : step;
}

function withdraw(asked: OpenPrompt, said: KeyResponse, before: readonly Effect[] = []): Step {
  const effects: Effect[] = [...before, { do: 'send', frame: { type: 'withdraw' } }];
  return { state: { at: 'withdrawing', asked, said }, effects };
}

/** Lets the keys blink. */
function touch(asked: OpenPrompt): readonly Effect[] {
  return asked.key === undefined ? [] : [{ do: 'touch', offer: asked.key.offer }];
}

/** Enter without a code, where a security key may answer. */
function onEnter(asked: OpenPrompt): Step {
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

/** A login begins in which a key may answer. */
export function openWithKey(typed: OpenPrompt, offer: KeyOption, before: readonly Effect[]): Step {
  const atOnce = offer.place === 'approval' || (offer.place === 'here' && offer.plugged);
  const key: KeyAsked = { offer, atTerminal: typed.atTerminal, now: atOnce ? 'on' : 'off' };
  const { open, link } = approvalTexts(offer);
  const asked: OpenPrompt = { ...typed, key, ...(link === undefined ? {} : { secret: link }) };
  return ask(asked, [...before, ...send('info', open), ...(atOnce ? touch(asked) : [])]);
}

/** Where to approve: with the link, which only the user may see, or without it. */
function approvalTexts(offer: KeyOption): { readonly open?: string; readonly link?: string } {
  if (offer.place !== 'approval') return {};
  const { link, portal, number } = offer.approval;
  return offer.linkShown
    ? { link: approvalText(link, number) }
    : { open: approvalTextWithoutLink(portal, number) };
}

/** What was typed, where it is no answer: the login was denied, or Enter lets the key answer. */
export function besideTyping(asked: OpenPrompt, answer: Buffer): Step | undefined {
  const denial = denialIn(asked.key?.now);
  if (denial !== undefined) {
    answer.fill(0);
    return act(asked, denial);
  }
  return isBlank(answer) ? onEnter(asked) : undefined;
}

export function onPin(asked: OpenPrompt, pin: Buffer): Step {
  const { key } = asked;
  // The key was pulled out meanwhile, or has locked itself.
  if (key !== undefined && typeof key.now !== 'string') {
    pin.fill(0);
    return act(asked, key.now);
  }
  const typed = withoutLineEnd(pin);
  if (typed.length > 0) return { state: { at: 'touching', asked }, effects: [{ do: 'pin', pin: typed }] };
  const next = { ...withKey(asked, 'off'), answers: asked.answers + 1 };
  return unevaluated(askAgain(next, undefined, [{ do: 'untouch' }]), asked.login);
}

/** Whether the answer of a requested key is still pending. */
function isBlinking({ key }: OpenPrompt): boolean {
  return key !== undefined && key.now !== 'off';
}

function afterHold(then: Step, said: KeyResponse): Step {
  const { state, effects } = then;
  if (state.at === 'withdrawing') return { state: { ...state, said }, effects };
  if (state.at !== 'prompted' || !isBlinking(state.asked)) return then;
  if (state.asked.key?.atTerminal) return withdraw(state.asked, said, effects);
  return { state: { ...state, asked: withKey(state.asked, said) }, effects };
}

export function onKey(state: State, said: (Event & { kind: 'key' })['said']): Step {
  if (said.kind === 'keys' || said.kind === 'touch') {
    if (state.at !== 'touching' || (said.kind === 'keys' && said.count > 0)) return stay(state);
    return { state, effects: send('info', touchText(said.kind === 'touch' ? 'touch' : 'insert')) };
  }
  switch (state.at) {
    case 'touching':
      return act(state.asked, said);
    case 'withdrawing':
      return stay({ ...state, said });
    case 'prompted':
      if (!isBlinking(state.asked)) return stay(state);
      if (state.asked.key?.atTerminal) return withdraw(state.asked, said);
      return stay({ ...state, asked: withKey(state.asked, said) });
    case 'pin':
    case 'evaluating':
      return stay(isBlinking(state.asked) ? { ...state, asked: withKey(state.asked, said) } : state);
    case 'holding': {
      // Once the refusal is sent, the prompt is withdrawn at once; the last answer of the key counts.
      const then = afterHold(state.then, said);
      return stay({ at: 'holding', then });
    }
    default:
      return stay(state);
  }
}
