import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answerFormatOf } from '../../../daemon/factors/answers/answer-format.ts';
import type { AnswerFormat } from '../../../daemon/factors/contract.ts';
import { kindOf, summaryOf, takes } from '../../../daemon/factors/kinds.ts';
import { fc } from '../../support/property.ts';
import { publicKey, sshSkRecord } from '../../support/ssh-keys.ts';
import { anyText, deepFreeze } from './contract.ts';
import { contextAt } from './records.ts';

/**
 * The suite of contract.ts needs answers that are right, and the ones after them. No typed answer is right for this
 * factor: sshd has verified it before any prompt. The rest of the contract is here; when it allows a login is tested in
 * policy/ssh-sk.test.ts and verifier/ssh-sk.test.ts.
 */
describe('a FIDO key of ssh', () => {
  const record = deepFreeze(sshSkRecord('blue'));
  const factor = kindOf(record);
  const context = contextAt(1_700_000_000_000);

  it('has its kind, is no typed code, and never ends', () => {
    assert.deepEqual([factor.kind, factor.traits.countsAsCode], ['ssh-sk', false]);
    assert.equal(factor.usable(record, 0), true);
    assert.equal(factor.usable({ ...record, enabled: false }, 0), true);
  });

  it('accepts no answer of any format, including its own public key', () => {
    const typed = [
      '',
      '123456',
      publicKey('blue'),
      '23456-789ab-cdefg-hjkmn',
      `vvcccccccclb${'c'.repeat(32)}`,
    ];
    for (const answer of typed) {
      const shape = answerFormatOf(Buffer.from(answer), new Set([6, 7, 8]));
      assert.equal(takes(record, shape), false);
      assert.deepEqual(factor.verify(record, shape, context), { outcome: 'refused', reason: 'wrong' });
    }
  });

  it('neither throws nor accepts for any text in any format', () => {
    const kind = fc.constantFrom('code' as const, 'recovery' as const, 'yubikey' as const);
    fc.assert(
      fc.property(kind, anyText(0, 40), (shapeKind, text) => {
        const shape: AnswerFormat = { kind: shapeKind, text };
        return !takes(record, shape) && factor.verify(record, shape, context).outcome === 'refused';
      }),
    );
  });

  it('is listed with its fingerprint', () => {
    const { detail, kind } = summaryOf(record);
    assert.equal(kind, 'ssh-sk');
    assert.match(detail, /^sk-ssh-ed25519@openssh\.com, SHA256:[A-Za-z0-9+/]{43}$/);
  });
});
