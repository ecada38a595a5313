import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { newSample } from '../../../bench/assertion.ts';
import { verificationTable } from '../../../bench/table.ts';
import { readSpent, verification } from '../../../bench/verification.ts';
import { createAssertions } from '../../../daemon/authenticators/assertions.ts';
import { keyOf } from '../../support/credential.ts';

const silent = (): void => undefined;
const log = { info: silent, warning: silent, error: silent };

describe('the assertion that the benchmark verifies', () => {
  const { assertion, record, clientDataHash, point } = newSample();

  it('is valid for a touch', async () => {
    const { signed } = await createAssertions(log).of(assertion, [record]);
    assert.deepEqual(signed?.(assertion, keyOf(record)), { counter: 1, userVerified: false });
  });

  it('is invalid if a bit of its signature is changed', async () => {
    const signature = Buffer.from(assertion.signature);
    signature[signature.length - 1] = (signature.at(-1) ?? 0) ^ 1;
    const changed = { ...assertion, signature };
    const { signed } = await createAssertions(log).of(changed, [record]);
    assert.equal(signed?.(changed, keyOf(record)), undefined);
  });

  it('is passed to libfido2 with the right lengths', () => {
    assert.deepEqual([clientDataHash.length, point.length, assertion.authenticatorData.length], [32, 64, 37]);
  });
});

describe('the figures of verification', () => {
  it('are medians of the runs, with the rate of the time used', () => {
    const slow = { times: [4, 4, 4, 8], cpu: 40 };
    const fast = { times: [1, 1, 2, 4], cpu: 4 };
    const usual = { times: [2, 2, 2, 4], cpu: 8 };
    assert.deepEqual(verification('sallyportd', [slow, fast, usual]), {
      by: 'sallyportd',
      p50: 2,
      p95: 4,
      rate: 400,
      cpu: 2,
    });
  });

  it('are the output of the C program, if complete', () => {
    assert.deepEqual(readSpent('1000000\n2500000\ncpu 3000000\n'), { times: [1, 2.5], cpu: 3 });
    assert.throws(() => readSpent('1000000\n'));
    assert.throws(() => readSpent(''));
  });

  it('have a cell for loading only if something is loaded', () => {
    const figures = { p50: 0.1234, p95: 1, rate: 9000, cpu: 0.125 };
    const lines = verificationTable([
      { by: 'sallyportd', ...figures, load: 265.4 },
      { by: 'libfido2, as in pam_u2f', ...figures },
    ]).split('\n');
    const cells = lines.slice(2).map((line) => line.split('|').map((cell) => cell.trim()));
    assert.deepEqual(cells, [
      ['', 'sallyportd', '0.123', '1.000', '9 000', '0.13', '265', ''],
      ['', 'libfido2, as in pam_u2f', '0.123', '1.000', '9 000', '0.13', '', ''],
    ]);
  });
});
