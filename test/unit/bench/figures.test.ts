import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { evaluate, type Figures } from '../../../bench/goals.ts';
import { loginsEach, quantile, type Row, type Run, summary, unlessItFails } from '../../../bench/measure.ts';
import { parts, readOptions } from '../../../bench/options.ts';
import { nextAfter } from '../../../bench/sallyport.ts';
import { goalTable, latencyTable, restTable } from '../../../bench/table.ts';

const PAM_AUTH_ERR = 7;

function row(
  module: Row['module'],
  clients: number,
  users: number | undefined,
  p50: number,
  rate: number,
): Row {
  const place = users === undefined ? {} : { users };
  return { module, ...place, clients, p50, p95: p50, rate, refused: 0, logins: 100, runs: 3 };
}

const rows: readonly Row[] = [
  row('pam_google_authenticator', 1, undefined, 10, 100),
  row('pam_google_authenticator', 64, undefined, 300, 200),
  row('pam_oath', 1, 1, 2, 500),
  row('pam_oath', 64, 64, 90, 300),
  row('pam_oath', 1, 5000, 40, 20),
  row('pam_sallyport', 1, 1, 1.5, 700),
  row('pam_sallyport', 64, 64, 50, 900),
  row('pam_sallyport', 1, 5000, 1.8, 600),
];

function run(p50: number, cpu?: number): Run {
  return { p50, p95: p50, rate: 1, refused: 0, logins: 50, runs: 1, ...(cpu === undefined ? {} : { cpu }) };
}

const all: Figures = {
  latencies: [
    { module: 'C floor', cold: [run(1, 1)], warm: [run(1, 1)] },
    { module: 'Node floor', cold: [run(2, 2)], warm: [run(2, 2)] },
    { module: 'pam_google_authenticator', cold: [run(8)], warm: [run(8)] },
    { module: 'pam_oath', cold: [run(1)], warm: [run(1)] },
    { module: 'pam_sallyport', cold: [run(3, 3)], warm: [run(2, 2)] },
    { module: 'pam_sallyport, YubiKey', cold: [], warm: [run(2.4)] },
    { module: 'pam_sallyport, many users', cold: [], warm: [run(2.4)] },
    { module: 'pam_sallyport, base', cold: [run(4, 4)], warm: [run(4, 4)] },
  ],
  rests: [
    { module: 'pam_google_authenticator', seconds: 5, times: [5, 5, 6] },
    { module: 'pam_sallyport', seconds: 5, times: [4, 3, 20] },
  ],
  rows,
  firstTouch: { first: 80, later: 1 },
};

describe('the figures of the benchmark', () => {
  it('use only successful logins for times and rate', () => {
    const run = summary([
      { client: 0, start: 0, end: 2e6, result: 0 },
      { client: 0, start: 0, end: 1e5, result: PAM_AUTH_ERR },
      { client: 0, start: 2e6, end: 6e6, result: 0 },
      { client: 0, start: 6e6, end: 1e7, result: PAM_AUTH_ERR },
    ]);
    assert.equal(run.p50, 2);
    assert.equal(run.p95, 4);
    assert.equal(run.refused, 2);
    // Two in the 10 ms that all of them took.
    assert.equal(run.rate, 200);
  });

  it('have a quantile that is one of the values', () => {
    assert.equal(quantile([1, 2, 3], 0.5), 2);
    assert.equal(quantile([1, 2, 3, 4], 0.5), 2);
    assert.equal(quantile([7], 0.95), 7);
    assert.ok(Number.isNaN(quantile([], 0.5)));
  });

  it('meet a goal that is reached exactly, and show the value of a missed one', () => {
    const goals = evaluate({ ...all, daemon: { users: 5000, memory: 100e6, startUp: 501 } });
    const shown = goals.map(({ what, value, met }) => `${what}: ${Number(value.toFixed(3))} ${met}`);
    assert.deepEqual(shown, [
      'warm, p50, of Node floor: 1 true',
      'cold, p50, of Node floor: 1.5 false',
      'warm, p50, of C floor: 2 true',
      'cold, p50, of C floor: 3 false',
      'warm, p50, of pam_google_authenticator: 0.25 true',
      'cold, p50, of pam_google_authenticator: 0.375 true',
      'warm, p50, of pam_oath: 2 false',
      'cold, p50, of pam_oath: 3 false',
      'after 5 s of rest, p50, of pam_google_authenticator: 0.8 true',
      'after 5 s of rest, slowest, of p50: 5 false',
      'warm, p50, of the base: 0.5 true',
      'cold, p50, of the base: 0.75 true',
      'CPU of the daemon, cold, of that of the base: 0.75 false',
      'CPU of the daemon, warm, of that of the base: 0.5 true',
      '64 clients, rate, of the better peer: 3 false',
      'YubiKey, warm, p50, of HOTP: 1.2 true',
      'ssh-sk, warm, p50, of HOTP: NaN false',
      'warm, p50, 5000 users of one user: 1.2 true',
      'anonymous memory at 5000 users: 100 true',
      'first login after a start at 5000 users: 501 false',
      'first verification of an assertion: 80 true',
    ]);
  });

  it('compare measurements of the same round, and show how far the rounds differ', () => {
    const slowed = (factor: number) => run(2 * factor, factor);
    const [goal] = evaluate({
      ...all,
      latencies: [
        { module: 'Node floor', cold: [], warm: [run(1), undefined, run(10), run(2)] },
        { module: 'pam_sallyport', cold: [], warm: [run(3), run(7), slowed(10), slowed(2)] },
      ],
    });
    assert.deepEqual([goal?.value, goal?.spread], [2, [2, 3]]);
  });

  it('use the CPU share of the Node baseline if there is no other', () => {
    const without = all.latencies.filter(({ module }) => module !== 'pam_sallyport, base');
    const cpus = evaluate({ ...all, latencies: without }).filter(({ what }) => what.startsWith('CPU'));
    assert.ok(cpus.every(({ what, value }) => what.endsWith('of that of 2026-11-24') && value > 0));
  });

  it('count a missing figure as missed', () => {
    const goals = evaluate({ latencies: [], rests: [], rows: [] });
    assert.ok(goals.every(({ met }) => !met));
  });

  it('start with few logins if none was accepted before', () => {
    const contestant = { mostLogins: 10 } as Parameters<typeof loginsEach>[0]['contestant'];
    for (const pace of [Number.NaN, Number.POSITIVE_INFINITY, 0]) {
      assert.equal(loginsEach({ contestant, clients: 1 }, pace, 1), 3, `${pace}`);
      assert.ok(loginsEach({ contestant, clients: 64 }, pace, 1) >= 1, `${pace}`);
    }
    assert.equal(loginsEach({ contestant, clients: 1 }, 10, 1), 100);
  });

  it('continue after the last accepted code', () => {
    assert.equal(nextAfter([true, true, true]), 3);
    // The next one may be used, though its answer was lost.
    assert.equal(nextAfter([true, false, false, false]), 2);
    assert.equal(nextAfter([false, false]), 1);
    assert.equal(nextAfter([]), 0);
  });

  it('report failed measurements, and print the rest', async () => {
    const said: string[] = [];
    const failing = async () => {
      throw new Error('the driver ended with 7');
    };
    assert.equal(await unlessItFails((text) => said.push(text), failing), undefined);
    assert.deepEqual(said, ['not measured: the driver ended with 7']);
  });

  it('are printed if all, some or none of them exist', () => {
    const { latencies, rests } = all;
    const empty = latencies.map(({ module }) => ({ module, cold: [undefined], warm: [] }));
    for (const table of [
      latencyTable(latencies),
      latencyTable(empty),
      restTable(rests),
      restTable(rests.map((rest) => ({ ...rest, times: [] }))),
      goalTable(evaluate({ latencies: empty, rests: [], rows: [] })),
    ])
      assert.doesNotMatch(table, /NaN|Infinity|undefined/);
  });
});

describe('the options of the benchmark', () => {
  it('select all parts unless some are named', () => {
    assert.deepEqual(readOptions([]).parts, parts);
    assert.deepEqual(readOptions(['--only', 'keys,rest']).parts, ['rest', 'keys']);
  });

  it('are invalid with an unknown part, two scopes or a base without a build', () => {
    for (const argv of [['--only', 'warm'], ['--quick', '--long'], ['--base', '/nonexistent'], ['--fast']])
      assert.throws(() => readOptions(argv), argv.join(' '));
  });
});
