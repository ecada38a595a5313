import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fuzz } from '../support/fuzz.ts';

/** Ten minutes for each fuzzer, or SALLYPORT_FUZZ_SECONDS. */
const seconds = Number(process.env.SALLYPORT_FUZZ_SECONDS ?? 600);

describe(`libFuzzer, ${seconds} seconds each`, () => {
  for (const target of ['frames', 'module'] as const) {
    it(target, async (t) => {
      const { executions, coverage } = await fuzz(target, seconds);
      t.diagnostic(`${target}: ${executions} inputs, ${coverage} edges`);
      assert.ok(executions > 0 && coverage > 0);
    });
  }
});
