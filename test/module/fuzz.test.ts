import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fuzz } from '../support/fuzz.ts';

/** A short run; test/long runs the same for ten minutes each. */
const seconds = 5;

describe(`libFuzzer, ${seconds} seconds each`, () => {
  it('any bytes as a frame', async (t) => {
    const { executions, coverage } = await fuzz('frames', seconds);
    t.diagnostic(`${executions} inputs, ${coverage} edges`);
    assert.ok(executions > 0 && coverage > 0);
  });

  it('the whole module against a hostile daemon', async (t) => {
    const { executions, coverage } = await fuzz('module', seconds);
    t.diagnostic(`${executions} inputs, ${coverage} edges`);
    assert.ok(executions > 0 && coverage > 0);
  });
});
