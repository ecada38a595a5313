import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FactorRecord } from '../../../daemon/factors/kinds.ts';
import { promptFor } from '../../../daemon/verifier/prompt-texts.ts';
import { fc } from '../../support/property.ts';
import { hotpFactor, makeRig, put, recoveryFactor, totpFactor } from '../../support/verifier-rig.ts';
import { facts } from '../policy/support.ts';

const yubikey: FactorRecord = {
  id: 'y1',
  name: 'blue',
  created: 0,
  enabled: true,
  kind: 'yubikey',
  validation: 'cloud',
  publicId: 'vvcccccccclb',
  spent: [],
};

describe('the names in a prompt', () => {
  it('stand in one order, codes first, whatever was enrolled first', () => {
    const some = [recoveryFactor(), yubikey, hotpFactor(), totpFactor()];
    fc.assert(
      fc.property(fc.shuffledSubarray(some, { minLength: 4 }), (factors) => {
        const text = 'Verification code or YubiKey OTP or recovery key: ';
        assert.equal(promptFor(factors, 'prompt', false), text);
        assert.equal(promptFor(factors, 'prompt', true), 'Recovery key: ');
      }),
    );
    const of = (...factors: readonly FactorRecord[]) => promptFor(factors, 'prompt', false);
    assert.equal(of(recoveryFactor(), totpFactor()), 'Verification code or recovery key: ');
    assert.equal(of(totpFactor()), 'Verification code: ');
  });

  it('are those of a login', async () => {
    const rig = makeRig();
    await put(rig, { factors: [recoveryFactor(), totpFactor()] });
    const opening = await rig.verifier.open(facts());
    assert.equal(opening.kind === 'ask' && opening.prompt, 'Verification code or recovery key: ');
  });
});
