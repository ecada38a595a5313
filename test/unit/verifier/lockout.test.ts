import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Verdict } from '../../../daemon/verifier/verifier.ts';
import {
  answer,
  answered,
  answers,
  assertAccepted,
  assertRefused,
  codeNow,
  eventsOf,
  hotpFactor,
  makeRig,
  opened,
  press,
  put,
  type Rig,
  recordOf,
  recoveryFactor,
  recoveryKeys,
  totpFactor,
  wrongCode,
  wrongCodes,
  wrongKey,
} from '../../support/verifier-rig.ts';
import { facts, hour, realm } from '../policy/support.ts';

const lockout = { codes: 4, any: 6, forMs: hour };
const key = (index: number): string => recoveryKeys[index] ?? '';

describe('failures of logins with a verified first factor', () => {
  let rig: Rig;
  const lock = async (): Promise<unknown> => (await recordOf(rig)).lock;
  const wrong = async (times: number): Promise<Verdict[]> => {
    const verdicts: Verdict[] = [];
    for (let each = 0; each < times; each += 1) verdicts.push(await answer(rig, {}, wrongCode(rig)));
    return verdicts;
  };
  beforeEach(async () => {
    rig = makeRig(realm({ lockout }));
    await put(rig, { factors: [totpFactor(), hotpFactor(), recoveryFactor()] });
  });

  it('count in the store, so that another daemon sees them', async () => {
    await answers(rig, {}, ...wrongCodes(rig, 2));
    assert.deepEqual(await lock(), { codes: 2, any: 2 });
    const another = rig.anotherVerifier();
    await answered(rig, await opened(rig, {}, another), wrongCode(rig), another);
    assert.deepEqual(await lock(), { codes: 3, any: 3 });
  });

  it('of recovery keys count in all, not as codes', async () => {
    await answers(rig, {}, wrongKey, wrongCode(rig));
    assert.deepEqual(await lock(), { codes: 1, any: 2 });
  });

  it('do not include answers of unknown format, which are asked for again without a delay', async () => {
    for (const text of [
      'hunter2',
      '',
      'correct horse',
      '1234567',
      'ccccccbchvthlivuitriujjifivbvtrjkjfirllluurj',
    ]) {
      const verdict = assertRefused(await answer(rig, {}, text));
      assert.deepEqual([verdict.again, verdict.result, verdict.delay], [true, 'auth-err', 0], text);
    }
    assert.deepEqual(await lock(), { codes: 0, any: 0 });
  });

  it('are delayed from the third on: 1, 2, 4, then 5 seconds', async () => {
    rig.setRealms(realm({ lockout: { codes: 100, any: 100, forMs: hour } }));
    const delays = (await wrong(8)).map((verdict) => assertRefused(verdict).delay);
    assert.deepEqual(delays, [0, 0, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000]);
  });

  it('are reset by a right answer, which is never delayed', async () => {
    await wrong(3);
    assertAccepted(await answer(rig, {}, codeNow(rig)));
    assert.deepEqual(await lock(), { codes: 0, any: 0 });
    assert.equal(assertRefused(await answer(rig, {}, wrongCode(rig))).delay, 0);
  });

  it('in parallel are all counted, and each is delayed by its own number', async () => {
    rig.setRealms(realm({ lockout: { codes: 100, any: 100, forMs: hour } }));
    const verdicts = await Promise.all(wrongCodes(rig, 8).map((code) => answer(rig, {}, code)));
    const delays = verdicts.map((verdict) => assertRefused(verdict).delay).sort((a, b) => a - b);
    assert.deepEqual(delays, [0, 0, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000]);
    assert.deepEqual(await lock(), { codes: 8, any: 8 });
  });

  it('in parallel allow no more guesses than one after the other', async () => {
    await Promise.all(wrongCodes(rig, 64).map((code) => answer(rig, {}, code)));
    const { codes, any } = (await recordOf(rig)).lock;
    assert.deepEqual([codes, any], [4, 4]);
    const evaluated = (await eventsOf(rig)).filter(({ reason }) => reason === 'wrong');
    assert.equal(evaluated.length, 4);
  });

  it('at lockout.max_code_failures typed codes are locked, from both sides', async () => {
    await wrong(3);
    assert.equal((await recordOf(rig)).lock.codesLockedAt, undefined);
    const [last] = await wrong(1);
    assert.ok(last && assertRefused(last).again, 'a recovery key may still be typed');
    assert.equal((await recordOf(rig)).lock.codesLockedAt, rig.clock.at);
  });

  describe('during a lockout of typed codes', () => {
    beforeEach(() => wrong(4));

    it('a right code is refused at once, is not used up, and counts as no failure', async () => {
      const before = await recordOf(rig);
      for (const text of [codeNow(rig), press(0), wrongCode(rig)]) {
        const verdict = assertRefused(await answer(rig, {}, text));
        assert.deepEqual([verdict.result, verdict.delay, verdict.again], ['maxtries', 0, true]);
      }
      assert.deepEqual(await recordOf(rig), before);
    });

    it('neither time nor a clock set back clears it', async () => {
      for (const ms of [400 * 24 * hour, -500 * 24 * hour]) {
        rig.clock.at += ms;
        assertRefused(await answer(rig, {}, codeNow(rig)));
      }
    });

    it('a recovery key clears it; a wrong one counts', async () => {
      assertRefused(await answer(rig, {}, wrongKey));
      assert.equal((await recordOf(rig)).lock.any, 5);
      assertAccepted(await answer(rig, {}, key(0)));
      assert.deepEqual(await lock(), { codes: 0, any: 0 });
      assertAccepted(await answer(rig, {}, codeNow(rig)));
    });

    it('accounts without recovery keys are told at HELLO, with MAXTRIES, and at an answer', async () => {
      const login = await opened(rig);
      await put(rig, { factors: [totpFactor()] });
      const opening = await rig.verifier.open(facts());
      assert.ok(opening.kind === 'done' && opening.result === 'maxtries');
      const verdict = assertRefused(await answered(rig, login, codeNow(rig)));
      assert.deepEqual([verdict.result, verdict.again], ['maxtries', false]);
    });

    it('the prompt asks for the remaining kinds', async () => {
      const opening = await rig.verifier.open(facts());
      assert.ok(opening.kind === 'ask');
      assert.match(opening.prompt, /recovery key/i);
      assert.doesNotMatch(opening.prompt, /code/i);
    });

    it('an administrator unlocks and resets both counts', async () => {
      await put(rig, { lock: { codes: 0, any: 0 } });
      assertAccepted(await answer(rig, {}, codeNow(rig)));
    });
  });

  it('the answer that locks ends the call if only codes are accepted', async () => {
    await put(rig, { factors: [totpFactor()] });
    const last = (await wrong(4)).at(-1);
    assert.ok(last);
    const verdict = assertRefused(last);
    assert.deepEqual([verdict.again, verdict.result], [false, 'maxtries']);
  });

  describe('at lockout.max_failures everything is locked', () => {
    beforeEach(async () => {
      await wrong(3);
      for (let each = 0; each < 2; each += 1) assertRefused(await answer(rig, {}, wrongKey));
      assert.equal((await recordOf(rig)).lock.lockedAt, undefined);
      const verdict = assertRefused(await answer(rig, {}, wrongKey));
      assert.deepEqual([verdict.again, verdict.result], [false, 'maxtries']);
    });

    it('a recovery key too, and typed answers count as no failure', async () => {
      const login = { facts: facts(), host: rig.host };
      const before = await recordOf(rig);
      for (const text of [key(0), codeNow(rig), wrongCode(rig), wrongKey]) {
        const verdict = assertRefused(await answered(rig, login, text));
        assert.deepEqual([verdict.result, verdict.again, verdict.delay], ['maxtries', false, 0]);
      }
      assert.deepEqual(await recordOf(rig), before);
      const opening = await rig.verifier.open(facts());
      assert.ok(opening.kind === 'done' && opening.result === 'maxtries');
    });

    it('for lockout.duration, from both sides, and the count starts from zero', async () => {
      rig.clock.pass(hour - 1);
      assert.equal((await rig.verifier.open(facts())).kind, 'done');
      rig.clock.pass(1);
      const verdict = assertRefused(await answer(rig, {}, wrongKey));
      assert.deepEqual([verdict.again, verdict.delay], [true, 0]);
      assert.equal((await recordOf(rig)).lock.any, 1);
      assertAccepted(await answer(rig, {}, key(0)));
    });

    it('a clock set back makes it last at most lockout.duration from now, also later', async () => {
      rig.clock.at -= 10 * hour;
      assert.equal((await rig.verifier.open(facts())).kind, 'done');
      rig.clock.at += hour - 1;
      assert.equal((await rig.verifier.open(facts())).kind, 'done');
      rig.clock.at += 1;
      assert.equal((await rig.verifier.open(facts())).kind, 'ask');
    });
  });

  it('a factor whose last-used counter is ahead of the clock hides no guess at another one', async () => {
    const ahead = totpFactor({ lastStep: Math.floor(rig.clock.at / 30_000) + 10_000 });
    await put(rig, { factors: [ahead, hotpFactor()] });
    await answers(rig, {}, ...wrongCodes(rig, 2));
    await rig.verifier.verify({ actor: 'uid:0', user: 'alice', answer: Buffer.from(wrongCode(rig)) });
    assert.deepEqual(await lock(), { codes: 3, any: 3 });
  });

  it('verify counts like a login', async () => {
    const verify = (text: string): ReturnType<Rig['verifier']['verify']> =>
      rig.verifier.verify({ actor: 'uid:0', user: 'alice', answer: Buffer.from(text) });
    for (const code of wrongCodes(rig, 4)) assert.equal((await verify(code)).outcome, 'refused');
    assert.equal((await recordOf(rig)).lock.codes, 4);
    const locked = await verify(codeNow(rig));
    assert.ok(locked.outcome === 'refused' && locked.reason === 'codes-locked');
    assertRefused(await answer(rig, {}, codeNow(rig)));
    assert.equal((await verify(key(0))).outcome, 'accepted');
    assertAccepted(await answer(rig, {}, codeNow(rig)));
  });
});
