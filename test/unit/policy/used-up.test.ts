import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decide } from '../../../daemon/policy/decide.ts';
import { explain } from '../../../daemon/policy/explain.ts';
import { bypass, disabled, question, realm, recovery, spentScratch, state, totp, usedUp } from './support.ts';

/** Users whose recovery keys are all used are told so, and not that they never had any. */
describe('a set whose keys are all used', () => {
  const textOf = (part: Parameters<typeof question>[0]) => {
    const decision = decide(question(part));
    assert.ok(decision.kind === 'refused', decision.kind);
    return [decision.why, decision.text];
  };

  it('is named if it was the only factor', () => {
    for (const [factors, text] of [
      [[usedUp], /^All your recovery keys are used/],
      [[disabled(usedUp)], /^All your recovery keys are used/],
      [[spentScratch], /^All your scratch codes are used/],
      [[usedUp, spentScratch], /^All your recovery keys and scratch codes are used/],
    ] as const) {
      const [why, said] = textOf({ state: state({ factors }) });
      assert.equal(why, 'used-up');
      assert.match(said ?? '', text);
    }
    const reported = explain(question({ state: state({ factors: [usedUp] }) }));
    assert.match(reported.detail, /all the recovery keys of the account are used/);
  });

  it('is not named if another reason applies', () => {
    assert.equal(textOf({})[0], 'no-factor');
    assert.equal(textOf({ state: state({ factors: [disabled(totp), usedUp] }) })[0], 'all-disabled');
    const ask = decide(question({ state: state({ factors: [recovery, usedUp] }) }));
    assert.equal(ask.kind, 'ask');
  });

  it('refuses no more than before: a bypass code and a realm that requires nothing still allow the login', () => {
    assert.equal(decide(question({ state: state({ factors: [usedUp, bypass] }) })).kind, 'ask');
    const none = realm({ require: 'none' });
    assert.equal(decide(question({ realm: none, state: state({ factors: [usedUp] }) })).kind, 'not-needed');
  });
});
