import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FactorRecord } from '../../../daemon/factors/kinds.ts';
import { keyFailureText, keyPrompt, pinPrompt, touchText } from '../../../daemon/verifier/key-texts.ts';
import { genericPrompt, promptFor, stoppingText } from '../../../daemon/verifier/prompt-texts.ts';
import { type RefusalReason, refusalText, uncountedText } from '../../../daemon/verifier/refusal-texts.ts';
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
  it('have a fixed order, codes first, whatever was enrolled first', () => {
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

/** Texts by which clients that have one password recognise its prompt. */
const asksForPassword: Readonly<Record<string, (prompt: string) => boolean>> = {
  // sshpass searches everything that ssh writes; Ansible with a password runs sshpass.
  sshpass: (text) => text.includes('assword'),
  mitogen: (text) => text.toLowerCase().includes('password'),
  Cyberduck: (text) => /^.*[pP]assword.*$/s.test(text),
  sshj: (text) => /^.*[pP]assword:\s?$/.test(text),
  // sudo replaces a prompt that reads so with its own.
  sudo: (text) => /^Password: ?$/.test(text),
};

describe('what clients search for in a prompt', () => {
  const kinds = [totpFactor(), hotpFactor(), yubikey, recoveryFactor()];
  const asked = fc
    .sample(fc.subarray(kinds), 64)
    .flatMap((factors) => [true, false].map((codesLocked) => promptFor(factors, 'prompt', codesLocked)));
  const hows = ['touch', 'touch-and-enter', 'enter', 'approve', 'approve-and-enter'] as const;
  const prompts = [
    ...asked,
    genericPrompt('prompt'),
    ...hows.flatMap((how) => [
      keyPrompt(how, undefined),
      keyPrompt(how, 'verification code or recovery key'),
    ]),
    pinPrompt({ kind: 'pin', why: 'wrong', retries: 3 }),
  ];

  for (const [client, looksFor] of Object.entries(asksForPassword)) {
    it(`${client} takes no prompt of a second factor for a password prompt`, () => {
      assert.deepEqual(prompts.filter(looksFor), []);
    });

    it(`${client} takes no text beside it for such a prompt`, () => {
      const reasons: readonly RefusalReason[] = [
        'wrong',
        'resync-required',
        'replay',
        'clock',
        'restored',
        'unavailable',
        'counter',
        'unknown-format',
        'codes-locked',
        'locked',
        'no-factor',
        'used-up',
        'uid-changed',
      ];
      const texts = [
        ...reasons.map((reason) => refusalText(reason)),
        uncountedText({ reason: 'replay', repeats: 'single-use' }, 0),
        stoppingText,
        touchText('touch'),
        touchText('approve'),
        keyFailureText('no-touch'),
      ];
      assert.deepEqual(texts.filter(looksFor), []);
    });
  }

  it('programs with one password find the one prompt that accepts the code after it', () => {
    const prompt = genericPrompt('password-and-code');
    const found = Object.entries(asksForPassword).flatMap(([client, looksFor]) =>
      looksFor(prompt) ? client : [],
    );
    assert.deepEqual(found, ['sshpass', 'mitogen', 'Cyberduck']);
  });

  it('is "Verification code: ", which VS Code knows, if nothing else can be typed, and starts so otherwise', () => {
    for (const factors of [[totpFactor()], [hotpFactor()], [hotpFactor(), totpFactor()]])
      assert.equal(promptFor(factors, 'prompt', false), 'Verification code: ');
    assert.match(promptFor([recoveryFactor(), totpFactor()], 'prompt', false), /^Verification code\b.*: $/);
  });
});
