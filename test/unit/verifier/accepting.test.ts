import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { limits } from '../../../daemon/limits.ts';
import {
  answer,
  answered,
  answers,
  assertAccepted,
  assertRefused,
  codeNow,
  eventsOf,
  factorOf,
  hotpFactor,
  isAccepted,
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
} from '../../support/verifier-rig.ts';
import { realm } from '../policy/support.ts';

describe('an accepted factor', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = makeRig();
    await put(rig, { factors: [totpFactor(), hotpFactor(), recoveryFactor()] });
  });

  for (const [kind, id, text] of [
    ['a TOTP code', 't1', (): string => codeNow(rig)],
    ['an HOTP code', 'h1', (): string => press(0)],
    ['a recovery key', 'r1', (): string => recoveryKeys[0] ?? ''],
  ] as const) {
    it(`${kind} is accepted once, and its last-used counter is stored before the result is sent`, async () => {
      const before = await factorOf(rig, id);
      const verdict = assertAccepted(await answer(rig, {}, text()));
      assert.equal(verdict.strip, 0);
      const after = await factorOf(rig, id);
      assert.notDeepEqual(after, before);
      assert.equal(after.lastUsed, rig.clock.at);
      for (const other of ['t1', 'h1', 'r1'].filter((each) => each !== id))
        assert.equal((await factorOf(rig, other)).lastUsed, undefined, 'no other factor is touched');
    });

    it(`${kind} again: refused, in the same call and in another`, async () => {
      const [first, ...rest] = await answers(rig, {}, text(), text());
      assert.ok(first && isAccepted(first));
      for (const again of [...rest, await answer(rig, {}, text())]) {
        assertRefused(again);
      }
    });
  }

  it('a used code counts as wrong once its window is over; so does a used recovery key', async () => {
    const code = codeNow(rig);
    assertAccepted(await answer(rig, {}, code));
    const replay = assertRefused(await answer(rig, {}, code));
    assert.deepEqual([replay.result, replay.again], ['auth-err', true]);
    assert.deepEqual((await recordOf(rig)).lock, { codes: 0, any: 0 });
    rig.clock.pass(90_000);
    assertRefused(await answer(rig, {}, code));
    assert.deepEqual((await recordOf(rig)).lock, { codes: 1, any: 1 });
    const [key = ''] = recoveryKeys;
    assertAccepted(await answer(rig, {}, key));
    rig.clock.pass(limits.replayWindow);
    assertRefused(await answer(rig, {}, key));
    assert.deepEqual((await recordOf(rig)).lock, { codes: 0, any: 1 });
  });

  it('an older step is refused once a newer one was accepted', async () => {
    const older = codeNow(rig);
    rig.clock.pass(30_000);
    assertAccepted(await answer(rig, {}, codeNow(rig)));
    assertRefused(await answer(rig, {}, older));
    const last = (await eventsOf(rig)).at(-1);
    assert.deepEqual([last?.outcome, last?.reason], ['refused', 'replay']);
  });

  it('the user is told how many recovery keys are left below four, and not before', async () => {
    const texts: (string | undefined)[] = [];
    for (const key of recoveryKeys) texts.push(assertAccepted(await answer(rig, {}, key)).text);
    assert.equal(texts[0], undefined);
    for (const [index, left] of [
      [1, '3'],
      [2, '2'],
      [3, '1'],
    ] as const)
      assert.ok(texts[index]?.includes(left), texts[index]);
    assert.ok(texts[4]?.includes('last'), texts[4]);
  });

  it('a code that arrives long after the prompt is verified by the clock of that moment', async () => {
    const login = await opened(rig);
    const old = codeNow(rig);
    rig.clock.pass(120_000);
    assertRefused(await answered(rig, login, old));
    assertAccepted(await answered(rig, login, codeNow(rig)));
  });
});

describe('an HOTP device that ran ahead', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = makeRig();
    await put(rig, { factors: [hotpFactor()] });
  });

  it('is resynchronised by two consecutive codes in one call; the first is a wrong answer until then', async () => {
    const login = await opened(rig);
    const first = assertRefused(await answered(rig, login, press(500)));
    assert.deepEqual((await recordOf(rig)).lock, { codes: 1, any: 1 });
    assertAccepted(await answered(rig, first.login, press(501)));
    assert.deepEqual((await recordOf(rig)).lock, { codes: 0, any: 0 });
    assertRefused(await answer(rig, {}, press(501)));
    assertAccepted(await answer(rig, {}, press(502)));
  });

  it('is not by two consecutive codes in two calls, nor with another answer between them', async () => {
    await answers(rig, {}, press(500));
    assertRefused(await answer(rig, {}, press(501)));
    for (const between of [press(700), wrongCode(rig)]) {
      const verdicts = await answers(rig, {}, press(600), between, press(601));
      assert.ok(!verdicts.some(isAccepted));
    }
  });

  it('is not by the same code twice, nor by one that does not follow', async () => {
    const verdicts = await answers(rig, {}, press(500), press(500));
    assert.ok(!verdicts.some(isAccepted));
    assert.ok(!(await answers(rig, {}, press(500), press(502))).some(isAccepted));
  });

  it('is not beyond a thousand codes', async () => {
    assert.ok(!(await answers(rig, {}, press(1_500), press(1_501))).some(isAccepted));
  });

  it('is not when a code beyond that counter was accepted meanwhile', async () => {
    const login = await opened(rig);
    const first = assertRefused(await answered(rig, login, press(500)));
    await put(rig, { factors: [hotpFactor({ counter: 502 })] });
    assertRefused(await answered(rig, first.login, press(501)));
  });
});

describe('single use', () => {
  const tries = 64;

  for (const [kind, text] of [
    ['TOTP', (rig: Rig): string => codeNow(rig)],
    ['HOTP', (): string => press(0)],
    ['recovery', (): string => recoveryKeys[0] ?? ''],
  ] as const) {
    for (const verifiers of [1, 2]) {
      it(`${tries} concurrent attempts with one ${kind} code, by ${verifiers} verifier(s) on one store`, async () => {
        // No account is locked, so that only the last-used counter refuses.
        const rig = makeRig(realm({ lockout: { codes: 1_000, any: 1_000, forMs: 3_600_000 } }));
        await put(rig, { factors: [totpFactor(), hotpFactor(), recoveryFactor()] });
        rig.store.unsteady = true;
        const made = [rig.verifier, rig.anotherVerifier()].slice(0, verifiers);
        const code = text(rig);
        const verdicts = await Promise.all(
          Array.from({ length: tries }, async (_, each) => {
            const verifier = made[each % verifiers] ?? rig.verifier;
            const login = await opened(rig, {}, verifier);
            return answered(rig, login, code, verifier);
          }),
        );
        assert.equal(verdicts.filter(isAccepted).length, 1);
        const events = await eventsOf(rig);
        assert.equal(events.filter(({ outcome }) => outcome === 'success').length, 1);
        assert.equal(events.length, tries, 'each try left its one event');
        assert.deepEqual((await recordOf(rig)).lock, { codes: 0, any: 0 }, 'a replay guesses nothing');
      });
    }
  }

  it('64 accounts at once, each with its own code: all are accepted', async () => {
    const rig = makeRig();
    await Promise.all(
      Array.from({ length: 64 }, async (_, each) => {
        rig.accounts.add(`user${each}`, 2000 + each);
        await put(rig, { account: `user${each}`, factors: [totpFactor()] });
      }),
    );
    const verdicts = await Promise.all(
      Array.from({ length: 64 }, (_, each) => answer(rig, { user: `user${each}` }, codeNow(rig))),
    );
    assert.ok(verdicts.every(isAccepted));
  });

  it('a code used by login, enrolment or verify is used for all of them', async () => {
    const rig = makeRig();
    await put(rig, { factors: [totpFactor(), hotpFactor()] });
    const verify = (text: string): ReturnType<Rig['verifier']['verify']> =>
      rig.verifier.verify({ actor: 'uid:0', user: 'alice', answer: Buffer.from(text) });
    assert.equal((await verify(codeNow(rig))).outcome, 'accepted');
    assertRefused(await answer(rig, {}, codeNow(rig)));
    assertAccepted(await answer(rig, {}, press(0)));
    assert.equal((await verify(press(0))).outcome, 'refused');
    const [login, ...proofs] = await Promise.all([
      answer(rig, {}, press(1)),
      ...Array.from({ length: 10 }, () => verify(press(1))),
    ]);
    const accepted = [isAccepted(login), ...proofs.map(({ outcome }) => outcome === 'accepted')];
    assert.equal(accepted.filter(Boolean).length, 1);
  });
});
