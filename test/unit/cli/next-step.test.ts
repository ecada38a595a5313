import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextStep, type State, type StepId } from '../../../cli/next-step.ts';

/** One step at a time, in one order: each is shown only when all earlier ones are done. */

const done: State = {
  you: 'alice',
  root: true,
  initialised: true,
  answers: true,
  factors: [
    { kind: 'totp', enabled: true },
    { kind: 'recovery', enabled: true },
  ],
  locked: false,
  guarded: ['sshd'],
  openTry: undefined,
  observing: [],
  errors: 0,
};

/** From the first to the last: what is still to be done. */
const steps: readonly (readonly [StepId, Partial<State>])[] = [
  ['init', { initialised: false }],
  ['start', { answers: false }],
  ['add-factor', { factors: [] }],
  ['confirm', { openTry: 'sshd' }],
  ['add-recovery', { factors: [{ kind: 'totp', enabled: true }] }],
  ['guard', { guarded: [] }],
  ['report', { observing: ['staff'] }],
  ['doctor', { errors: 2 }],
  ['none', {}],
];

test('the first unfinished step is the next, whatever else is open', () => {
  for (const [index, [id, open]] of steps.entries()) {
    const later = Object.assign(
      {},
      ...steps
        .slice(index + 1)
        .reverse()
        .map(([, one]) => one),
    );
    assert.equal(nextStep({ ...done, ...open }).id, id, `${id} alone`);
    assert.equal(nextStep({ ...done, ...later, ...open }).id, id, `${id} before what comes behind it`);
  }
});

test('each but the last has a command, for the account that it concerns', () => {
  for (const [id, open] of steps)
    assert.equal(nextStep({ ...done, ...open }).command === undefined, id === 'none', id);
  assert.equal(nextStep({ ...done, factors: [] }).command, 'sallyport factor add totp alice');
});

test('users other than root are shown no command of root', () => {
  const user: State = { ...done, root: false, initialised: undefined };
  assert.equal(nextStep({ ...user, answers: false }).command, undefined);
  assert.equal(nextStep({ ...user, guarded: [] }).id, 'none');
  assert.equal(nextStep({ ...user, initialised: false }).id, 'none');
  assert.deepEqual(nextStep({ ...user, locked: true }).id, 'ask-unlock');
  assert.equal(nextStep({ ...user, factors: [] }).id, 'add-factor');
});

test('disabled factors do not count, and no advice is given about unread parts', () => {
  assert.equal(nextStep({ ...done, factors: [{ kind: 'totp', enabled: false }] }).id, 'add-factor');
  assert.equal(
    nextStep({ ...done, factors: undefined, guarded: undefined, initialised: undefined }).id,
    'none',
  );
});
