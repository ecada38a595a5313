import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { hashScratchCodes } from '../../../daemon/factors/scratch.ts';
import type { LoginFacts } from '../../../daemon/policy/contract.ts';
import { totp } from '../../support/codes.ts';
import {
  answer,
  assertAccepted,
  assertRefused,
  codeNow,
  eventsOf,
  hotpFactor,
  isAccepted,
  keyedHash,
  makeRig,
  press,
  put,
  type Rig,
  recordOf,
  recoveryFactor,
  recoveryKeys,
  seeds,
  totpFactor,
  wrongCode,
} from '../../support/verifier-rig.ts';
import { otp, programmed } from '../../support/yubikey.ts';
import { realm } from '../policy/support.ts';

/** The answer accepted last, once more: it guesses nothing, so within its own window it counts as no failure. */

const servers = { urls: ['https://yk.example/'], clientId: '7', keyFile: '/etc/k' };
let rig: Rig;
let bypass: string;
beforeEach(async () => {
  rig = makeRig(realm({ yubikey: { servers } }));
  rig.servers = async () => 'valid';
  await put(rig, { factors: [totpFactor(), hotpFactor(), recoveryFactor()] });
  const { publicId, privateId, aesKey } = programmed;
  const common = { actor: 'uid:0', user: 'alice', verify: false } as const;
  const secrets = { privateId: Buffer.from(privateId), secret: Buffer.from(aesKey) };
  await rig.verifier.enrol({ ...common, kind: 'yubikey', validation: 'local', publicId, ...secrets });
  const given = await rig.verifier.enrol({ ...common, kind: 'bypass', forMs: 3_600_000 });
  bypass = given.bypassCode ?? '';
});

const kinds: Record<string, () => string> = {
  'a TOTP code': () => codeNow(rig),
  'an HOTP code': () => press(0),
  'a YubiKey OTP': () => otp({ use: 5, session: 0 }),
  'a bypass code': () => bypass,
  'a recovery key': () => recoveryKeys[0] ?? '',
};
const untouched = { codes: 0, any: 0 };

for (const [what, text] of Object.entries(kinds)) {
  for (const mode of ['prompt', 'password-and-code'] as const) {
    const typed = (): string => (mode === 'prompt' ? text() : `hunter2${text()}`);

    it(`${what}, 64 times at once, is accepted once and locks nothing (${mode})`, async () => {
      rig.store.unsteady = true;
      const [one, other] = [rig.verifier, rig.anotherVerifier()];
      const verdicts = await Promise.all(
        Array.from({ length: 64 }, (_, each) =>
          answer({ ...rig, verifier: each % 2 === 0 ? one : other }, { mode }, typed()),
        ),
      );
      rig.store.unsteady = false;
      assert.equal(verdicts.filter(isAccepted).length, 1);
      assert.deepEqual((await recordOf(rig)).lock, untouched);
      for (const verdict of verdicts)
        if (verdict.kind === 'refused') assert.deepEqual([verdict.delay, verdict.result], [0, 'auth-err']);
    });
  }

  it(`${what} resets the failures before it, and its replay adds none; the audit trail has each`, async () => {
    assertRefused(await answer(rig, {}, wrongCode(rig)));
    assertAccepted(await answer(rig, {}, text()));
    const before = (await eventsOf(rig)).length;
    for (let each = 0; each < 20; each += 1) assertRefused(await answer(rig, {}, text()));
    assert.deepEqual((await recordOf(rig)).lock, untouched);
    const events = (await eventsOf(rig)).slice(before);
    assert.equal(events.length, 20);
    assert.ok(events.every(({ outcome, reason }) => outcome === 'refused' && reason === 'replay'));
  });

  it(`${what} that \`verify\` accepted is a replay in a login, and vice versa`, async () => {
    const verify = () => rig.verifier.verify({ actor: 'uid:0', user: 'alice', answer: Buffer.from(text()) });
    assert.equal((await verify()).outcome, 'accepted');
    assertRefused(await answer(rig, {}, text()));
    assert.equal((await verify()).outcome, 'refused');
    assert.deepEqual((await recordOf(rig)).lock, untouched);
  });

  it(`${what}, unverified, uses up no attempts of the name`, async () => {
    const from = (each: number): Partial<LoginFacts> => {
      const source = `198.51.100.${each}`;
      return { firstFactorVerified: false, rhost: source, source };
    };
    assertAccepted(await answer(rig, from(0), text()));
    for (let each = 1; each < 40; each += 1) assertRefused(await answer(rig, from(each), text()));
    assert.deepEqual(rig.rateLimited, []);
    assertAccepted(await answer(rig, from(50), press(3)));
  });
}

describe('the text for a replay', () => {
  const waits = 'That code was already used. Wait for the next one.';
  const works = 'That was used before, and codes and keys of its kind work only once. Use another one.';
  const scratchCode = '12345678';
  const addScratch = async (): Promise<void> => {
    const salt = Buffer.alloc(16, 3);
    const scratch = { id: 's1', name: 'paper', created: 0, enabled: true, kind: 'scratch' } as const;
    const factors = [
      totpFactor({ digits: 8 }),
      { ...scratch, ...hashScratchCodes([scratchCode], salt, keyedHash) },
    ];
    await put(rig, { factors });
  };
  const textOf = async (text: string): Promise<string | undefined> => {
    assertAccepted(await answer(rig, {}, text));
    const refusal = assertRefused(await answer(rig, {}, text)).text;
    const verified = await rig.verifier.verify({ actor: 'uid:0', user: 'alice', answer: Buffer.from(text) });
    assert.equal(verified.outcome === 'refused' && verified.text, refusal);
    return refusal;
  };

  for (const [what, text] of Object.entries(kinds)) {
    const expected = what === 'a bypass code' || what === 'a recovery key' ? works : waits;
    it(`of ${what} is: ${expected}`, async () => {
      assert.equal(await textOf(text()), expected);
    });
  }

  it("of a scratch code distinguishes it from a device's code of as many digits", async () => {
    await addScratch();
    assert.equal(await textOf(scratchCode), works);
    rig.clock.pass(90_000);
    assert.equal(await textOf(totp(seeds.totp, { at: rig.clock.at, digits: 8 })), waits);
  });
});

describe('what still counts as a failure', () => {
  it('a code accepted before the one that was accepted last', async () => {
    assertAccepted(await answer(rig, {}, press(0)));
    assertAccepted(await answer(rig, {}, press(1)));
    assertRefused(await answer(rig, {}, press(0)));
    assert.deepEqual((await recordOf(rig)).lock, { codes: 1, any: 1 });
  });

  it('a TOTP code of a step that was skipped', async () => {
    const older = codeNow(rig);
    rig.clock.pass(30_000);
    assertAccepted(await answer(rig, {}, codeNow(rig)));
    assertRefused(await answer(rig, {}, older));
    assert.deepEqual((await recordOf(rig)).lock, { codes: 1, any: 1 });
  });

  it('an answer whose window is over', async () => {
    for (const [make, window] of [
      [() => press(0), 60_000],
      [() => recoveryKeys[0] ?? '', 60_000],
      [() => codeNow(rig), 90_000],
    ] as const) {
      const text = make();
      await put(rig, { lock: untouched });
      assertAccepted(await answer(rig, {}, text));
      rig.clock.pass(window - 1);
      assertRefused(await answer(rig, {}, text));
      assert.deepEqual((await recordOf(rig)).lock, untouched);
      rig.clock.pass(1);
      assertRefused(await answer(rig, {}, text));
      assert.equal((await recordOf(rig)).lock.any, 1);
      rig.clock.pass(600_000);
    }
  });

  it('a replay with a clock that was set back', async () => {
    assertAccepted(await answer(rig, {}, press(0)));
    rig.clock.at -= 1;
    assertRefused(await answer(rig, {}, press(0)));
    assert.equal((await recordOf(rig)).lock.any, 1);
  });

  it('the code of another account', async () => {
    await put(rig, { account: 'bob', factors: [totpFactor({ id: 't2', secret: 'c2VlZCBvZiBib2I=' })] });
    const code = codeNow(rig);
    assertAccepted(await answer(rig, {}, code));
    assertRefused(await answer(rig, { user: 'bob' }, code));
    assert.equal((await recordOf(rig, 'bob')).lock.codes, 1);
  });

  it('every guess between two replays', async () => {
    assertAccepted(await answer(rig, {}, codeNow(rig)));
    assertRefused(await answer(rig, {}, wrongCode(rig)));
    assertRefused(await answer(rig, {}, codeNow(rig)));
    assert.deepEqual((await recordOf(rig)).lock, { codes: 1, any: 1 });
  });
});

it('a code that enrolled a factor is a replay in the login after it', async () => {
  await put(rig, { factors: [] });
  const secret = Buffer.from('totp-seed-of-alice--');
  await rig.verifier.enrol({
    actor: 'uid:0',
    user: 'alice',
    kind: 'totp',
    secret,
    digits: 6,
    period: 30,
    algorithm: 'sha1',
    verify: true,
    code: Buffer.from(codeNow(rig)),
  });
  assertRefused(await answer(rig, {}, codeNow(rig)));
  assert.deepEqual((await recordOf(rig)).lock, untouched);
});

it('only a digest of the answer is stored', async () => {
  for (const text of Object.values(kinds)) {
    assertAccepted(await answer(rig, {}, text()));
    const kept = JSON.stringify((await recordOf(rig)).accepted);
    assert.match(kept, /^\{"digest":"[A-Za-z0-9+/]{22}==","at":\d+,"until":\d+\}$/);
  }
});
