import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HostFacts } from '../../../daemon/host/contract.ts';
import { type Effect, type Event, type State, step } from '../../../daemon/login/session.ts';
import type { LoginFacts } from '../../../daemon/policy/contract.ts';
import type { HelloFrame } from '../../../daemon/protocol/login.ts';
import type { Opening, OpenLogin, ResultCode, Verdict } from '../../../daemon/verifier/contract.ts';
import { fc } from '../../support/property.ts';

const hello: HelloFrame = {
  type: 'hello',
  service: 'sudo',
  user: 'alice',
  realUid: 1000,
  mode: 'prompt',
  firstFactorPassed: true,
  deadline: 100_000,
  flags: 0,
  terminal: false,
};
const facts: LoginFacts = {
  service: 'sudo',
  user: 'alice',
  bootId: 'boot',
  realUid: 1000,
  peerUid: 0,
  firstFactorVerified: true,
  rootSocket: true,
  local: false,
  mode: 'prompt',
};
/** Passed through, and never called by a session. */
const host = { id: '' } as HostFacts;
/** Two, so that a step that uses the old one is noticed. */
const first: OpenLogin = { facts, host };
const second: OpenLogin = { ...first, resync: { factor: 'f1', counter: 20 } };

const answered = (text: string): Event => ({
  kind: 'frame',
  frame: { type: 'answer', answer: Buffer.from(text) },
});
const cancelled: Event = { kind: 'frame', frame: { type: 'cancel' } };
const opened = (opening: Opening): Event => ({ kind: 'opened', opening });
const evaluated = (verdict: Verdict): Event => ({ kind: 'evaluated', verdict });
const asks = opened({ kind: 'ask', prompt: 'Code: ', login: first });
const wrong = (more: Partial<Verdict & { kind: 'refused' }> = {}): Event =>
  evaluated({ kind: 'refused', again: true, result: 'auth-err', delay: 0, login: second, ...more });

/** Every event, in every form that makes a difference. */
const events: Record<string, () => Event> = {
  HELLO: () => ({ kind: 'frame', frame: hello }),
  'ANSWER new': () => answered('333333'),
  'ANSWER again': () => answered('222222'),
  'ANSWER empty': () => answered(''),
  CANCEL: () => cancelled,
  'opened: ask': () => asks,
  'opened: ask with text': () => opened({ kind: 'ask', prompt: 'Code: ', text: 'Note.', login: first }),
  'opened: ignore': () => opened({ kind: 'done', result: 'ignore' }),
  'opened: success': () => opened({ kind: 'done', result: 'success' }),
  'opened: refused with text': () => opened({ kind: 'done', result: 'perm-denied', text: 'No.' }),
  'over limit': () => ({ kind: 'over-limit', holdFor: 0 }),
  'over limit, held': () => ({ kind: 'over-limit', holdFor: 1000 }),
  'evaluated: success': () => evaluated({ kind: 'accepted', result: 'success', strip: 6, text: 'Few.' }),
  'evaluated: ignore': () => evaluated({ kind: 'accepted', result: 'ignore', strip: 0 }),
  'evaluated: ignore, held': () => evaluated({ kind: 'accepted', result: 'ignore', strip: 0, delay: 250 }),
  'evaluated: again': () => wrong({ text: 'Wrong.' }),
  'evaluated: again, held': () => wrong({ text: 'Wrong.', delay: 1000 }),
  'evaluated: again, locked': () => wrong({ result: 'maxtries', text: 'Locked.' }),
  'evaluated: end': () => wrong({ again: false, result: 'maxtries', text: 'Locked.' }),
  'evaluated: end, held': () => wrong({ again: false, result: 'auth-err', delay: 5000 }),
  failed: () => ({ kind: 'failed' }),
  held: () => ({ kind: 'held' }),
  deadline: () => ({ kind: 'deadline' }),
  closed: () => ({ kind: 'closed' }),
};
type EventName = keyof typeof events;

/** States are reached as a login reaches them, not built by hand. */
const ways: Record<string, () => Event[]> = {
  hello: () => [],
  opening: () => [{ kind: 'frame', frame: hello }],
  'prompted first': () => [...take('opening'), asks],
  'prompted second': () => [...take('prompted first'), answered('222222'), wrong()],
  'prompted third': () => [
    ...take('prompted first'),
    answered('111111'),
    wrong(),
    answered('222222'),
    wrong(),
  ],
  'evaluating first': () => [...take('prompted first'), answered('222222')],
  'evaluating third': () => [...take('prompted third'), answered('333333')],
  'holding a prompt': () => [...take('evaluating first'), wrong({ text: 'Wrong.', delay: 1000 })],
  'holding an end': () => [...take('evaluating third'), wrong({ text: 'Wrong.', delay: 1000 })],
  'holding a login over a limit': () => [...take('opening'), { kind: 'over-limit', holdFor: 1000 }],
  'holding an IGNORE': () => [
    ...take('evaluating first'),
    evaluated({ kind: 'accepted', result: 'ignore', strip: 0, delay: 250 }),
  ],
  'over by RESULT': () => [...take('opening'), opened({ kind: 'done', result: 'ignore' })],
  'over by closing': () => [...take('evaluating first'), { kind: 'closed' }],
};
function take(way: string): Event[] {
  const events = ways[way];
  assert.ok(events !== undefined);
  return events();
}

const send = {
  error: (text: string): Effect => ({ do: 'send', frame: { type: 'error', text } }),
  info: (text: string): Effect => ({ do: 'send', frame: { type: 'info', text } }),
  prompt: { do: 'send', frame: { type: 'prompt', text: 'Code: ', style: 'hidden' } } as Effect,
  result: (code: ResultCode, strip = 0): Effect => ({ do: 'send', frame: { type: 'result', code, strip } }),
};
const close: Effect = { do: 'close' };
const ends = (code: ResultCode, ...before: readonly Effect[]): Effect[] => [
  ...before,
  send.result(code),
  close,
];
type Why = (Effect & { do: 'abandon' })['reason'];
const abandon = (login: OpenLogin, reason: Why): Effect => ({ do: 'abandon', login, reason });
const evaluate = (login: OpenLogin, text: string): Effect => ({
  do: 'evaluate',
  login,
  answer: Buffer.from(text),
});

interface Row {
  readonly at: State['at'];
  readonly effects: readonly Effect[];
}
const over = (...effects: readonly Effect[]): Row => ({ at: 'over', effects });
const to = (at: State['at'], ...effects: readonly Effect[]): Row => ({ at, effects });
/** An unexpected frame, an unrequested verdict, a verifier that threw. */
const violation = over(...ends('system-err'));
const nothing = over();

function everyEvent(row: Row): Record<EventName, Row> {
  return Object.fromEntries(Object.keys(events).map((name) => [name, row]));
}

/** The same in all states before RESULT. */
const usual = (row: Record<EventName, Row>): Record<EventName, Row> => ({
  ...everyEvent(violation),
  CANCEL: over(close),
  deadline: over(...ends('auth-err')),
  closed: over(close),
  ...row,
});

/** At a prompt: a login that ends without an answer is recorded once. */
function atPrompt(login: OpenLogin, row: Record<EventName, Row>): Record<EventName, Row> {
  const broken = over(...ends('system-err'), abandon(login, 'disconnected'));
  return {
    ...everyEvent(broken),
    'ANSWER new': to('evaluating', evaluate(login, '333333')),
    'ANSWER again': to('evaluating', evaluate(login, '222222')),
    'ANSWER empty': to('evaluating', evaluate(login, '')),
    CANCEL: over(...ends('auth-err'), abandon(login, 'cancelled')),
    deadline: over(...ends('auth-err'), abandon(login, 'timed-out')),
    closed: over(close, abandon(login, 'disconnected')),
    ...row,
  };
}
/** The answer before this one was 222222. */
const repeated = over(...ends('auth-err'), abandon(second, 'cancelled'));

function whileEvaluating(row: Record<EventName, Row>): Record<EventName, Row> {
  return usual({
    'evaluated: success': over(send.info('Few.'), send.result('success', 6), close),
    'evaluated: ignore': over(...ends('ignore')),
    'evaluated: ignore, held': to('holding', { do: 'hold', ms: 250 }),
    'evaluated: end': over(...ends('maxtries', send.error('Locked.'))),
    'evaluated: end, held': to('holding', { do: 'hold', ms: 5000 }),
    'evaluated: again, held': to('holding', { do: 'hold', ms: 1000 }),
    ...row,
  });
}

const table: Record<string, Record<EventName, Row>> = {
  hello: usual({
    HELLO: to('opening', { do: 'open', hello }),
    deadline: over(...ends('system-err')),
  }),
  opening: usual({
    'opened: ask': to('prompted', send.prompt),
    'opened: ask with text': to('prompted', send.info('Note.'), send.prompt),
    'opened: ignore': over(...ends('ignore')),
    'opened: success': over(...ends('success')),
    'opened: refused with text': over(...ends('perm-denied', send.error('No.'))),
    'over limit': over(...ends('system-err')),
    'over limit, held': to('holding', { do: 'hold', ms: 1000 }),
  }),
  'prompted first': atPrompt(first, {}),
  'prompted second': atPrompt(second, { 'ANSWER again': repeated }),
  'prompted third': atPrompt(second, { 'ANSWER again': repeated }),
  'evaluating first': whileEvaluating({
    'evaluated: again': to('prompted', send.error('Wrong.'), send.prompt),
    'evaluated: again, locked': to('prompted', send.error('Locked.'), send.prompt),
  }),
  'evaluating third': whileEvaluating({
    'evaluated: again': over(...ends('maxtries', send.error('Wrong.'))),
    'evaluated: again, locked': over(...ends('maxtries', send.error('Locked.'))),
  }),
  'holding a prompt': usual({ held: to('prompted', send.error('Wrong.'), send.prompt) }),
  'holding an end': usual({ held: over(...ends('maxtries', send.error('Wrong.'))) }),
  'holding a login over a limit': usual({ held: over(...ends('system-err')) }),
  'holding an IGNORE': usual({ held: over(...ends('ignore')) }),
  'over by RESULT': everyEvent(nothing),
  'over by closing': everyEvent(nothing),
};

function reach(way: string): State {
  return take(way).reduce<State>((state, event) => step(state, event).state, { at: 'hello' });
}

/** When the peer violates the protocol, the table does not specify which of several reasons is recorded. */
function normalised(effects: readonly Effect[], broken: boolean): unknown[] {
  const kept = effects.map((effect) =>
    broken && effect.do === 'abandon' ? { ...effect, reason: 'disconnected' } : effect,
  );
  const rest = kept.filter((effect) => effect.do !== 'abandon');
  return [...rest, ...kept.filter((effect) => effect.do === 'abandon')];
}

function endsInError(row: Row): boolean {
  return row.effects.some(
    (effect) => effect.do === 'send' && effect.frame.type === 'result' && effect.frame.code === 'system-err',
  );
}

describe('a session: every state, every event', () => {
  it('has a row for each', () => {
    assert.deepEqual(Object.keys(table), Object.keys(ways));
    for (const row of Object.values(table))
      assert.deepEqual(Object.keys(row).sort(), Object.keys(events).sort());
  });

  for (const [way, row] of Object.entries(table)) {
    for (const [name, wanted] of Object.entries(row)) {
      it(`${way} × ${name} → ${wanted.at}`, () => {
        const event = events[name]?.();
        assert.ok(event !== undefined);
        const done = step(reach(way), event);
        assert.equal(done.state.at, wanted.at);
        const broken = endsInError(wanted);
        assert.deepEqual(normalised(done.effects, broken), normalised(wanted.effects, broken));
      });
    }
  }

  it('wipes an answer in every state except where it is evaluated', () => {
    for (const way of Object.keys(ways)) {
      const answer = Buffer.from('222222');
      const { effects } = step(reach(way), { kind: 'frame', frame: { type: 'answer', answer } });
      if (effects.some((effect) => effect.do === 'evaluate')) continue;
      assert.ok(
        answer.every((byte) => byte === 0),
        `an answer is left in state "${way}"`,
      );
    }
  });

  it('keeps no answer in its state, in clear or in hex', () => {
    const reported = JSON.stringify([
      reach('prompted third'),
      reach('evaluating third'),
      reach('holding a prompt'),
    ]);
    for (const code of ['111111', '222222', '333333'])
      for (const form of [code, Buffer.from(code).toString('hex'), Buffer.from(code).toString('base64')])
        assert.ok(!reported.includes(form));
  });

  it('never changes the state passed to it', () => {
    for (const way of Object.keys(ways)) {
      for (const make of Object.values(events)) {
        const state = reach(way);
        const before = structuredClone(state);
        step(Object.freeze(state), make());
        assert.deepEqual(state, before);
      }
    }
  });

  it('detects repeats from the previous answer, and from no other', () => {
    const state = [answered('111111'), wrong(), answered('222222'), wrong()].reduce<State>(
      (now, event) => step(now, event).state,
      reach('prompted first'),
    );
    assert.equal(step(state, answered('111111')).state.at, 'evaluating');
    assert.equal(step(state, answered('222222')).state.at, 'over');
  });
});

describe('a session: an answer in another spelling', () => {
  const secondAfter = (text: string) =>
    [answered(text), wrong()].reduce<State>((now, event) => step(now, event).state, reach('prompted first'));

  it('is the previous answer', () => {
    for (const [before, again] of [
      ['222222', '222 222'],
      ['222222', '222222\r'],
      ['222-222', '２２２２２２'],
      ['hunter2', 'hunter2\r'],
      ['hunter2', ' \u200bhunter2'],
      ['', '\r'],
      ['23456-789ab-cdefg-hjkmn', '23456\u2013789AB\u2013CDEFG\u2013HJKMN'],
    ] as const) {
      const ended = step(secondAfter(before), answered(again));
      assert.deepEqual(ended.effects, [...ends('auth-err'), abandon(second, 'cancelled')], again);
    }
  });

  it('is another one if a letter or its position differs', () => {
    for (const [before, other] of [
      ['222222', '222223'],
      ['22 2222', '222222'],
      ['hunter2', 'Hunter2'],
      ['hunter2', 'hunter 2'],
      ['pässwörd', 'password'],
      ['ä', 'ö'],
      ['', '222222'],
    ] as const)
      assert.equal(step(secondAfter(before), answered(other)).state.at, 'evaluating', other);
    const bytes = (byte: number): Event => ({
      kind: 'frame',
      frame: { type: 'answer', answer: Buffer.from([byte]) },
    });
    const state = [bytes(0xe4), wrong()].reduce<State>(
      (now, event) => step(now, event).state,
      reach('prompted first'),
    );
    assert.equal(step(state, bytes(0xf6)).state.at, 'evaluating');
  });
});

describe('a session: any events in any order', () => {
  const anyEvents = fc.array(fc.constantFrom(...(Object.keys(events) as EventName[])), { maxLength: 40 });
  /** Mostly as a login proceeds, so that the late states are reached. */
  const likely = fc.array(
    fc.constantFrom<EventName>(
      'HELLO',
      'opened: ask',
      'ANSWER new',
      'ANSWER again',
      'evaluated: again',
      'evaluated: again, held',
      'held',
      'evaluated: success',
      'closed',
    ),
    { maxLength: 40 },
  );

  const property = (names: readonly EventName[]): void => {
    let state: State = { at: 'hello' };
    let open = true;
    let prompts = 0;
    let evaluations = 0;
    let abandons = 0;
    let decided = false;
    for (const name of names) {
      const event = events[name]?.();
      assert.ok(event !== undefined);
      const done = step(state, event);
      for (const effect of done.effects) {
        if (effect.do !== 'abandon') assert.ok(open, `${effect.do} after the end`);
        if (effect.do === 'evaluate') evaluations += 1;
        if (effect.do === 'abandon') abandons += 1;
        if (effect.do === 'close') open = false;
        if (effect.do !== 'send') continue;
        assert.ok(!decided, `${effect.frame.type} after RESULT`);
        assert.notEqual(event.kind, 'closed');
        if (effect.frame.type === 'prompt') {
          prompts += 1;
          assert.ok(prompts <= evaluations + 1, 'two prompts without an answer between them');
        }
        if (effect.frame.type !== 'result') continue;
        decided = true;
        const { code, strip } = effect.frame;
        if (code === 'success' || code === 'ignore')
          assert.ok(saysSo(state, event, code), `${code} of ${name}`);
        if (code !== 'success') assert.equal(strip, 0);
      }
      if (state.at === 'prompted' && done.state.at === 'over')
        assert.equal(abandons, 1, `${name} at a prompt`);
      state = done.state;
    }
    assert.ok(evaluations <= 3);
    assert.ok(abandons <= 1);
  };

  it('keeps the sequence', () => {
    fc.assert(fc.property(anyEvents, property), { numRuns: 5_000 });
    fc.assert(fc.property(likely, property), { numRuns: 5_000 });
  });
});

function saysSo(state: State, event: Event, code: ResultCode): boolean {
  if (event.kind === 'opened')
    return state.at === 'opening' && event.opening.kind === 'done' && event.opening.result === code;
  if (event.kind === 'evaluated')
    return state.at === 'evaluating' && event.verdict.kind === 'accepted' && event.verdict.result === code;
  return false;
}
