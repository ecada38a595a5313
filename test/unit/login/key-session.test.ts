import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Assertion } from '../../../daemon/factors/contract.ts';
import { limits } from '../../../daemon/limits.ts';
import { type Event, type State, step } from '../../../daemon/login/session.ts';
import type { HelloFrame } from '../../../daemon/protocol/login.ts';
import type { OpenLogin } from '../../../daemon/verifier/contract.ts';
import { hostWith } from '../../support/host.ts';
import { fc } from '../../support/property.ts';
import { onTerminal } from '../policy/support.ts';

/** Logins with security keys and events in any order: invariants of all of them. */

const login: OpenLogin = { facts: onTerminal({ local: true }), host: hostWith() };
const hello: HelloFrame = {
  type: 'hello',
  service: 'sudo',
  user: 'alice',
  realUid: 1000,
  mode: 'prompt',
  firstFactorPassed: true,
  deadline: 100_000,
  flags: 0,
  terminal: true,
};
const nothing = Buffer.alloc(0);
const assertion: Assertion = {
  credentialId: 'b25l',
  challenge: 'AAAA',
  origin: 'pam://x',
  clientDataJSON: nothing,
  authenticatorData: nothing,
  signature: nothing,
};
const question = { groups: [], userVerification: 'discouraged' } as const;

const answers: fc.Arbitrary<() => Event> = fc
  .constantFrom('', '111111', '222222', '333333', '4321')
  .map((text) => () => ({ kind: 'frame', frame: { type: 'answer', answer: Buffer.from(text) } }));
const said: fc.Arbitrary<() => Event> = fc
  .constantFrom<(Event & { kind: 'key' })['said']>(
    { kind: 'touched', assertion },
    { kind: 'failed', reason: 'wrong-key' },
    { kind: 'failed', reason: 'key-failed' },
    { kind: 'pin', why: 'first' },
    { kind: 'pin', why: 'wrong', retries: 2 },
    { kind: 'touch' },
    { kind: 'keys', count: 0 },
  )
  .map((each) => () => ({ kind: 'key', said: each }));
const verdicts: fc.Arbitrary<() => Event> = fc
  .record({ accepted: fc.boolean(), again: fc.boolean(), delay: fc.constantFrom(0, 100) })
  .map(({ accepted, again, delay }) => () => ({
    kind: 'evaluated',
    verdict: accepted
      ? { kind: 'accepted', result: 'success', strip: 0 }
      : { kind: 'refused', result: 'auth-err', again, delay, login, text: 'Wrong.' },
  }));
const others: fc.Arbitrary<() => Event> = fc
  .constantFrom<Event>(
    { kind: 'held' },
    { kind: 'frame', frame: { type: 'withdrawn' } },
    { kind: 'frame', frame: { type: 'cancel' } },
    { kind: 'deadline' },
    { kind: 'closed' },
    { kind: 'failed' },
  )
  .map((event) => () => event);

/** Events that are possible in a state, so that most sequences continue. */
function fits({ at }: State, event: Event): boolean {
  if (event.kind === 'evaluated') return at === 'evaluating';
  if (event.kind === 'held') return at === 'holding';
  if (event.kind !== 'frame') return true;
  if (event.frame.type === 'answer') return at === 'prompted' || at === 'withdrawing' || at === 'pin';
  return event.frame.type !== 'withdrawn' || at === 'withdrawing';
}

const anyEvent = fc.oneof(
  { weight: 8, arbitrary: answers },
  { weight: 8, arbitrary: said },
  { weight: 6, arbitrary: verdicts },
  { weight: 6, arbitrary: fc.constant((): Event => ({ kind: 'frame', frame: { type: 'withdrawn' } })) },
  { weight: 4, arbitrary: fc.constant((): Event => ({ kind: 'held' })) },
  { weight: 1, arbitrary: others },
);

it('for any events in any order', () => {
  const seen: Record<string, number> = {};
  fc.assert(
    fc.property(
      fc.record({ terminal: fc.boolean(), offered: fc.integer({ min: 0, max: 4 }), plugged: fc.boolean() }),
      fc.array(anyEvent, { minLength: 5, maxLength: 40 }),
      ({ terminal, offered, plugged }, events) => {
        const key = { question, place: 'here', plugged, typed: 'verification code' } as const;
        const opening = { kind: 'ask', prompt: 'Code: ', login, ...(offered > 0 && { key }) } as const;
        let state: State = { at: 'hello' };
        let open: 'no' | 'hidden' | 'terminal' | 'withdrawn' = 'no';
        let evaluated = 0;
        const take = (event: Event): void => {
          const before = state;
          const answer =
            event.kind === 'frame' && event.frame.type === 'answer' ? event.frame.answer : undefined;
          const typed = answer?.toString() ?? '';
          if (answer !== undefined || (event.kind === 'frame' && event.frame.type === 'withdrawn'))
            open = 'no';
          const next = step(state, event);
          state = next.state;
          seen[state.at] = (seen[state.at] ?? 0) + 1;
          if (before.at === 'over') assert.deepEqual(next.effects, []);
          let kept = false;
          for (const effect of next.effects) {
            if (effect.do === 'touch') assert.ok(offered > 0, 'a key blinks that is not offered');
            if (effect.do === 'evaluate') {
              evaluated += 1;
              if (Buffer.isBuffer(effect.answer)) {
                kept = effect.answer === answer;
                assert.ok(kept && before.at !== 'pin', 'a PIN goes to the verifier');
              } else assert.equal(effect.answer, assertion);
            }
            if (effect.do === 'pin') {
              kept = effect.pin === answer;
              assert.ok(kept && before.at === 'pin', 'a code goes to the key');
            }
            if (effect.do !== 'send') continue;
            const { frame } = effect;
            if (frame.type === 'prompt') {
              assert.equal(open, 'no', 'two prompts');
              open = frame.style === 'terminal' ? 'terminal' : 'hidden';
              if (open === 'terminal') assert.ok(terminal);
            }
            if (frame.type === 'withdraw') {
              assert.equal(open, 'terminal', 'a prompt is withdrawn that is not open to it');
              open = 'withdrawn';
            }
            if (frame.type === 'result' && frame.code === 'success') {
              assert.ok(event.kind === 'evaluated' && event.verdict.kind === 'accepted');
              assert.equal(open, 'no', 'SUCCESS while a prompt is open');
            }
          }
          if (answer !== undefined && !kept)
            assert.ok(typed === '' || answer.every((byte) => byte === 0), 'what was dropped is not wiped');
          assert.ok(evaluated <= limits.answersPerCall, `${evaluated} answers were evaluated`);
        };
        take({ kind: 'frame', frame: { ...hello, terminal } });
        take({ kind: 'opened', opening });
        for (const make of events) {
          const event = make();
          if (fits(state, event)) take(event);
        }
      },
    ),
    { numRuns: 5_000 },
  );
  for (const at of ['prompted', 'withdrawing', 'touching', 'pin', 'evaluating', 'holding', 'over'])
    assert.ok((seen[at] ?? 0) > 500, `${at}: ${seen[at]}`);
});
