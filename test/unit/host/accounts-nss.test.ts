import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { AccountKey } from '../../../daemon/host/addon.ts';
import { limits } from '../../../daemon/limits.ts';
import type { Outcome, Script, Step } from '../../support/nss-asker.ts';
import { createNssNamespace } from '../../support/nss-namespace.ts';

/** Answers of NSS sources that work, are slow, unavailable or hang. See test/native/nss_slow.c for what they know. */
const namespace = createNssNamespace({
  passwd: [
    'local-ben:x:4301:4301::/nonexistent:/bin/sh',
    'local-ida:x:4302:4302::/nonexistent:/bin/sh',
    '+local-nis:x:4303:4303::/nonexistent:/bin/sh',
  ],
  group: ['local-club:x:4300:local-ida', 'local-ben:x:4301:', 'local-ida:x:4302:'],
});
after(() => namespace.remove());

const asker = join(import.meta.dirname, '../../support/nss-asker.js');

async function run(sources: string, script: Script): Promise<readonly Outcome[]> {
  const finished = await namespace.run(sources, [process.execPath, asker, JSON.stringify(script)]);
  assert.equal(finished.stderr, '');
  assert.deepEqual([finished.status, finished.signal], [0, null], finished.stdout);
  return JSON.parse(finished.stdout) as Outcome[];
}

const groups = ['remote-staff', 'remote-ops', 'remote-big', 'local-club', 'no-such-group'];

function step(mode: string, ask: readonly AccountKey[], waitMs = 5_000): Step {
  return { mode, ask, groups, waitMs };
}

const everybody: readonly AccountKey[] = [
  { name: 'remote-anna' },
  { uid: 4242 },
  { name: 'local-ben' },
  { name: 'local-ida' },
  { name: 'nobody-at-all' },
  { uid: 999_999 },
];

const anna = 'remote-anna 4242 4243 member member member not-member unresolved';
const ben = 'local-ben 4301 4301';
const ida = 'local-ida 4302 4302';
/** The source works. */
const well = [
  anna,
  anna,
  `${ben} not-member not-member not-member member unresolved`,
  `${ida} not-member not-member not-member member unresolved`,
  'absent',
  'absent',
];
/**
 * It fails: its accounts and unknown ones are not absent, its groups do not resolve, and no account counts as outside a
 * group of /etc/group, because the source may have it as a member.
 */
const away = [
  'unavailable',
  'unavailable',
  `${ben} unresolved unresolved unresolved unresolved unresolved`,
  `${ida} unresolved unresolved unresolved member unresolved`,
  'unavailable',
  'unavailable',
];
/** It reports that it knows none of this, which is an answer. */
const gone = [
  'absent',
  'absent',
  `${ben} unresolved unresolved unresolved not-member unresolved`,
  `${ida} unresolved unresolved unresolved member unresolved`,
  'absent',
  'absent',
];
/** Accounts and groups are answered; membership is known only as far as groups list it. */
const withoutInitgroups = [
  'remote-anna 4242 4243 member member unresolved unresolved unresolved',
  'remote-anna 4242 4243 member member unresolved unresolved unresolved',
  `${ben} unresolved unresolved unresolved unresolved unresolved`,
  `${ida} unresolved unresolved unresolved member unresolved`,
  'absent',
  'absent',
];

const cases: readonly (readonly [string, readonly string[]])[] = [
  ['ok', well],
  ['slow 50', well],
  ['unavail', away],
  ['tryagain', away],
  ['no-socket', away],
  ['gone', gone],
  ['no-initgroups', withoutInitgroups],
  ['ok', well],
];

for (const sources of ['files slow', 'slow files', 'files slow systemd']) {
  test(`"${sources}": a failing source makes no account absent, and none a non-member`, async () => {
    const outcomes = await run(sources, {
      steps: cases.map(([mode]) => step(mode, everybody)),
      end: 'return',
    });
    for (const [index, [mode, expected]] of cases.entries()) {
      assert.deepEqual(outcomes[index]?.answers, expected, mode);
    }
    assert.match(outcomes[2]?.whys[0] ?? '', /slow|refused/i);
  });
}

test('a source that is not installed does not matter', async () => {
  const [outcome] = await run('files never-installed', { steps: [step('ok', everybody)], end: 'return' });
  assert.deepEqual(outcome?.answers, gone);
});

test('a source that hangs: the deadline holds, event loop and file system continue, the process ends', async () => {
  const waitMs = 1_000;
  const many = Array.from({ length: limits.nssThreads }, () => ({ name: 'remote-anna' }));
  for (const end of ['return', 'exit'] as const) {
    const steps = [
      step('ok', [{ name: 'remote-anna' }]),
      step('hang', many, waitMs),
      // Every thread hangs now; /etc/passwd could answer this one at once.
      step('ok', [{ name: 'local-ben' }, { uid: 0 }], waitMs),
    ];
    const [first, stuck, others] = await run('files slow', { steps, end });
    assert.deepEqual(first?.answers, [anna]);
    assert.deepEqual([...new Set(stuck?.answers)], ['unavailable']);
    assert.deepEqual(others?.answers, ['unavailable', 'unavailable']);
    for (const outcome of [stuck, others]) {
      assert.ok(outcome);
      assert.ok(outcome.ms >= waitMs - 50, `deadline: ${outcome.ms} ms`);
      assert.ok(outcome.loopDelayMs < outcome.ms, `the loop stood still for ${outcome.loopDelayMs} ms`);
      assert.ok(outcome.fileMs < outcome.ms, `a file was read in ${outcome.fileMs} of ${outcome.ms} ms`);
    }
  }
});

test('one hanging thread does not stop the others', async () => {
  const steps = [
    step('hang', [{ name: 'remote-anna' }], 500),
    step('ok', [{ name: 'remote-anna' }, { name: 'local-ida' }]),
  ];
  const outcomes = await run('files slow', { steps, end: 'exit' });
  assert.deepEqual(outcomes[0]?.answers, ['unavailable']);
  assert.deepEqual(outcomes[1]?.answers, [anna, well[3]]);
});

test('the queue is bounded, and lookups without a waiter leave it', async () => {
  const same = (count: number) => Array.from({ length: count }, () => ({ name: 'remote-anna' }));
  const steps = [step('hang', same(1), 300), step('hang', same(3), 600), step('hang', same(2), 300)];
  const pool = { threads: 1, queue: 2 };
  const [, full, after] = await run('files slow', { steps, pool, end: 'exit' });
  assert.deepEqual(full?.answers, ['unavailable', 'unavailable', 'unavailable']);
  assert.equal(full?.whys.filter((why) => why.includes('too many queries')).length, 1);
  assert.equal(after?.whys.filter((why) => why.includes('too many queries')).length, 0);
});

/** Every thread hangs in the source; then these are looked up without a group. */
async function besideStuckThreads(sources: string, ask: readonly AccountKey[]): Promise<Outcome | undefined> {
  const many = Array.from({ length: limits.nssThreads }, () => ({ name: 'remote-anna' }));
  const [, outcome] = await run(sources, {
    steps: [step('hang', many, 500), { mode: 'hang', ask, groups: [], waitMs: 500 }],
    end: 'exit',
  });
  return outcome;
}

test('a local account is found while every thread hangs, another one waits for its source', async () => {
  const outcome = await besideStuckThreads('files slow', [
    { name: 'local-ben' },
    { uid: 4302 },
    { name: 'remote-anna' },
    { uid: 4242 },
    { name: '+local-nis' },
  ]);
  assert.deepEqual(outcome?.answers, [ben, ida, 'unavailable', 'unavailable', 'unavailable']);
  assert.ok(outcome && outcome.loopDelayMs < outcome.ms, `the loop waited for ${outcome?.loopDelayMs} ms`);
});

for (const sources of ['slow files', 'files [SUCCESS=continue] slow', 'files [NOTFOUND=return] slow'])
  test(`"${sources}": a local account is looked up in NSS too`, async () => {
    const outcome = await besideStuckThreads(sources, [{ name: 'local-ben' }, { uid: 4302 }]);
    assert.deepEqual(outcome?.answers, ['unavailable', 'unavailable']);
  });
