import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { evaluate } from '../../../bench/goals.ts';
import { loginsEach, quantile, type Row, summary, unlessItFails } from '../../../bench/measure.ts';
import { nextAfter } from '../../../bench/sallyport.ts';

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

describe('the figures of the benchmark', () => {
  it('takes times and rate from the logins that succeeded alone', () => {
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

  it('has a quantile that is one of the values', () => {
    assert.equal(quantile([1, 2, 3], 0.5), 2);
    assert.equal(quantile([1, 2, 3, 4], 0.5), 2);
    assert.equal(quantile([7], 0.95), 7);
    assert.ok(Number.isNaN(quantile([], 0.5)));
  });

  it('meets a goal that is reached exactly, and says the value of one that is missed', () => {
    const goals = evaluate(rows, { users: 5000, memory: 100e6, startUp: 501 });
    assert.deepEqual(
      goals.map(({ value, met }) => [Number(value.toFixed(3)), met]),
      [
        [0.15, true],
        [0.75, true],
        [3, true],
        [1.2, true],
        [100, true],
        [501, false],
      ],
    );
  });

  it('counts a figure that is missing as missed', () => {
    const goals = evaluate([], { users: 5000, memory: Number.NaN, startUp: Number.NaN });
    assert.ok(goals.every(({ met }) => !met));
  });

  it('are taken of few logins where nothing was accepted before', () => {
    const contestant = { mostLogins: 10 } as Parameters<typeof loginsEach>[0]['contestant'];
    for (const pace of [Number.NaN, Number.POSITIVE_INFINITY, 0]) {
      assert.equal(loginsEach({ contestant, clients: 1 }, pace, 1), 3, `${pace}`);
      assert.ok(loginsEach({ contestant, clients: 64 }, pace, 1) >= 1, `${pace}`);
    }
    assert.equal(loginsEach({ contestant, clients: 1 }, 10, 1), 100);
  });

  it('go on behind the last code that was accepted', () => {
    assert.equal(nextAfter([true, true, true]), 3);
    // The one behind it may have been used, though its answer was lost.
    assert.equal(nextAfter([true, false, false, false]), 2);
    assert.equal(nextAfter([false, false]), 1);
    assert.equal(nextAfter([]), 0);
  });

  it('that cannot be taken are said, and the rest is printed', async () => {
    const said: string[] = [];
    const failing = async () => {
      throw new Error('the driver ended with 7');
    };
    assert.equal(await unlessItFails((text) => said.push(text), failing), undefined);
    assert.deepEqual(said, ['not measured: the driver ended with 7']);
    const goals = evaluate([], { users: 5000, memory: Number.NaN, startUp: Number.NaN });
    assert.ok(goals.every(({ met }) => !met));
  });
});
