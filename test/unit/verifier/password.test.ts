import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { limits } from '../../../daemon/limits.ts';
import { totp } from '../../support/codes.ts';
import {
  answer,
  assertAccepted,
  assertRefused,
  codeNow,
  eventsOf,
  hotpFactor,
  makeRig,
  press,
  put,
  type Rig,
  recordOf,
  recoveryFactor,
  recoveryKeys,
  totpFactor,
  wrongCode,
  wrongCodes,
} from '../../support/verifier-rig.ts';
import { facts, realm } from '../policy/support.ts';

const passwords = [
  'hunter2',
  '',
  'ends in 123456',
  '12345678901234567890',
  'pässwörd 😀',
  'abcde-fghjk-mnpqr-stuvw',
  ' ',
];
const eightSeed = Buffer.from('eight-digits--------');

for (const mode of ['password-and-code', 'first-pass'] as const) {
  for (const proven of [true, false]) {
    describe(`${mode}, ${proven ? 'verified' : 'unverified'} first factor`, () => {
      const given = { mode, firstFactorVerified: proven, service: 'login' };
      let rig: Rig;
      beforeEach(async () => {
        rig = makeRig(realm({ lockout: { codes: 1_000, any: 1_000, forMs: 1 } }));
        const eight = totpFactor({
          id: 't8',
          name: 'eight',
          secret: eightSeed.toString('base64'),
          digits: 8,
        });
        await put(rig, { factors: [totpFactor(), eight, hotpFactor(), recoveryFactor()] });
      });

      for (const [kind, text] of [
        ['TOTP of 6', (): string => codeNow(rig)],
        ['TOTP of 8', (): string => totp(eightSeed, { at: rig.clock.at, digits: 8 })],
        ['HOTP', (): string => press(0)],
        ['recovery', (): string => recoveryKeys[0] ?? ''],
        ['recovery without dashes', (): string => (recoveryKeys[0] ?? '').replaceAll('-', '')],
        ['recovery in capitals', (): string => (recoveryKeys[0] ?? '').toUpperCase()],
      ] as const) {
        for (const password of passwords) {
          it(`${kind} after ${JSON.stringify(password)}: strip is what was typed of it`, async () => {
            const verdict = assertAccepted(await answer(rig, given, password + text()));
            assert.equal(verdict.strip, text().length);
            assertRefused(await answer(rig, given, password + text()));
          });
        }
      }

      it('a wrong end counts once, whatever lengths were tried', async () => {
        assertRefused(await answer(rig, given, `hunter2${wrongCode(rig)}`));
        assertRefused(await answer(rig, given, 'hunter2-00000000'));
        const count = proven ? 2 : 0;
        assert.deepEqual((await recordOf(rig)).lock, { codes: count, any: count });
        assert.equal((await eventsOf(rig)).length, 2);
      });

      it('strip leaves exactly the password, whatever spaces surround the code', async () => {
        const spellings: readonly (readonly [string, string])[] = [
          ['hunter2', ' %'],
          ['hunter2', '% '],
          ['hunter2', ' %\r\n'],
          ['hunter2 ', ' %'],
          ['hunter2-', '%'],
          [' ', '%'],
          ['pässwörd 😀\ufe0f', '%'],
          ['pässwörd 😀\ufe0f', '\u00a0%'],
        ];
        for (const [index, [typed, form]] of spellings.entries()) {
          const end = form.replace('%', index % 2 === 0 ? press(index) : press(index).replace(/^.../, '$& '));
          const verdict = assertAccepted(await answer(rig, given, typed + end));
          const whole = Buffer.from(typed + end);
          const left = whole.subarray(0, whole.length - verdict.strip).toString();
          assert.equal(left, typed, JSON.stringify(form));
        }
      });

      it('is no success before the password is known to be right', async () => {
        assertAccepted(await answer(rig, given, `hunter2${codeNow(rig)}`));
        const last = (await eventsOf(rig)).at(-1);
        assert.deepEqual(
          [last?.outcome, last?.reason, last?.firstFactorVerified],
          [proven ? 'success' : 'accepted', 'verified', proven],
        );
        const { lastLogin } = await recordOf(rig);
        assert.equal(lastLogin?.firstFactorVerified, proven ? undefined : false);
      });

      it('only a password counts as no failure', async () => {
        assertRefused(await answer(rig, given, 'hunter2'));
        assertRefused(await answer(rig, given, ''));
        assert.deepEqual((await recordOf(rig)).lock, { codes: 0, any: 0 });
      });

      it('strips nothing of a refusal, nor if nothing is needed', async () => {
        assert.ok(!('strip' in (await answer(rig, given, `hunter2${wrongCode(rig)}`))));
        if (proven) return;
        rig.setRealms(realm({ require: 'none' }));
        await put(rig, { factors: [] });
        const ignored = { kind: 'accepted', result: 'ignore', strip: 0, delay: limits.refusalBeat };
        for (const text of ['hunter2', 'hunter2123456', ''])
          assert.deepEqual(await answer(rig, given, text), ignored);
      });
    });
  }
}

describe('a password and a code', () => {
  it('an account with only a code of 6 digits loses no digit of its password to a code of 8', async () => {
    const rig = makeRig();
    await put(rig, { factors: [totpFactor()] });
    const verdict = assertAccepted(await answer(rig, { mode: 'password-and-code' }, `pw99${codeNow(rig)}`));
    assert.equal(verdict.strip, 6);
  });

  it('the prompt says that both are wanted, and names no factor', async () => {
    const rig = makeRig();
    await put(rig, { factors: [totpFactor()] });
    for (const proven of [true, false]) {
      const opening = await rig.verifier.open(
        facts({ mode: 'password-and-code', firstFactorVerified: proven }),
      );
      assert.ok(opening.kind === 'ask');
      assert.match(opening.prompt, /password/i);
      assert.doesNotMatch(opening.prompt, /totp|hotp|recovery|phone/i);
    }
  });

  it('in mode prompt the end of a password is not a code', async () => {
    const rig = makeRig();
    await put(rig, { factors: [totpFactor()] });
    for (const proven of [true, false])
      assertRefused(await answer(rig, { firstFactorVerified: proven }, `hunter2${codeNow(rig)}`));
    assert.deepEqual((await recordOf(rig)).factors, [totpFactor()]);
  });

  it('for a locked account the password is not taken for a code that counts', async () => {
    const rig = makeRig(realm({ lockout: { codes: 2, any: 50, forMs: 1_000 } }));
    await put(rig, { factors: [totpFactor(), recoveryFactor()] });
    for (const code of wrongCodes(rig, 2)) await answer(rig, { mode: 'first-pass' }, `hunter2${code}`);
    const before = await recordOf(rig);
    const verdict = assertRefused(await answer(rig, { mode: 'first-pass' }, `hunter2${codeNow(rig)}`));
    assert.equal(verdict.result, 'maxtries');
    assert.deepEqual(await recordOf(rig), before);
  });
});
