import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Effect, type Event, type State, step } from '../../../daemon/login/session.ts';
import type { HelloFrame } from '../../../daemon/protocol/login.ts';
import type { OpenLogin, Verdict } from '../../../daemon/verifier/contract.ts';
import { hostWith } from '../../support/host.ts';
import { facts, totp } from '../policy/support.ts';

/** How a new secret is shown to the user: with the prompt of the module at a terminal, or as a text. */

const login: OpenLogin = { facts: facts(), host: hostWith(), enrolment: { factor: totp } };
const opened: Event = {
  kind: 'opened',
  opening: { kind: 'ask', prompt: 'Code: ', text: 'Note.', secret: 'SEED', login },
};
const next: Verdict = { kind: 'next', prompt: 'Stored? ', secret: 'KEYS', login };
const again: Verdict = {
  kind: 'refused',
  again: true,
  result: 'auth-err',
  text: 'Wrong.',
  delay: 0,
  login,
};
const answered = (text: string): Event => ({
  kind: 'frame',
  frame: { type: 'answer', answer: Buffer.from(text) },
});

/** What the module is asked to show, frame by frame. */
function shownAt(terminal: boolean, ...events: readonly Event[]): readonly string[] {
  const hello: HelloFrame = {
    type: 'hello',
    service: 'sudo',
    user: 'alice',
    realUid: 1000,
    mode: 'prompt',
    firstFactorPassed: true,
    deadline: 100_000,
    flags: 0,
    terminal,
  };
  let state: State = { at: 'hello' };
  const effects: Effect[] = [];
  for (const event of [{ kind: 'frame', frame: hello } as const, opened, ...events]) {
    const done = step(state, event);
    state = done.state;
    effects.push(...done.effects);
  }
  return effects.flatMap((effect) => {
    if (effect.do !== 'send' || !('text' in effect.frame)) return [];
    const { frame } = effect;
    return [`${frame.type}${frame.type === 'prompt' ? ` ${frame.style}` : ''}: ${frame.text}`];
  });
}

describe('a secret', () => {
  it('is sent with the prompt if the module prompts at the terminal itself', () => {
    assert.deepEqual(shownAt(true), ['info: Note.', 'prompt terminal: SEED\nCode: ']);
  });

  it('is a separate text otherwise', () => {
    assert.deepEqual(shownAt(false), ['info: Note.', 'info: SEED', 'prompt hidden: Code: ']);
  });

  it('is shown once: a repeated prompt does not include it', () => {
    const wrong = [answered('000000'), { kind: 'evaluated', verdict: again } as const];
    assert.deepEqual(shownAt(true, ...wrong).slice(2), ['error: Wrong.', 'prompt terminal: Code: ']);
    assert.deepEqual(shownAt(false, ...wrong).slice(3), ['error: Wrong.', 'prompt hidden: Code: ']);
  });

  it('with the next prompt is sent in the same way', () => {
    const right = [answered('123456'), { kind: 'evaluated', verdict: next } as const];
    assert.deepEqual(shownAt(true, ...right).slice(2), ['prompt terminal: KEYS\nStored? ']);
    assert.deepEqual(shownAt(false, ...right).slice(3), ['info: KEYS', 'prompt hidden: Stored? ']);
  });
});
