import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { hashScratchCodes } from '../../../daemon/factors/scratch.ts';
import {
  answer,
  answered,
  answers,
  assertAccepted,
  assertRefused,
  codeNow,
  eventsOf,
  factorOf,
  isAccepted,
  keyedHash,
  makeRig,
  opened,
  put,
  type Rig,
  recordOf,
  recoveryFactor,
  recoveryKeys,
  totpFactor,
} from '../../support/verifier-rig.ts';
import { facts, hour, minute, realm, remember, rule } from '../policy/support.ts';

async function give(rig: Rig, forMs = hour, user = 'alice'): Promise<string> {
  const request = { actor: 'uid:1001', user, verify: false, kind: 'bypass', forMs } as const;
  const { bypassCode } = await rig.verifier.enrol(request);
  assert.match(bypassCode ?? '', /^\d{3} \d{3} \d{3}$/);
  return bypassCode ?? '';
}

const kindsOf = async (rig: Rig) => (await recordOf(rig)).factors.map(({ kind }) => kind);
/** In the right format, but not the code. */
const other = (code: string) => (code === '000 000 000' ? '000 000 001' : '000 000 000');

describe('a bypass code', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = makeRig();
    await put(rig, { factors: [totpFactor()] });
  });

  it('is accepted once, is removed with it, and the user is told so', async () => {
    const code = await give(rig);
    assert.deepEqual(await kindsOf(rig), ['totp', 'bypass']);
    const { text } = assertAccepted(await answer(rig, {}, code));
    assert.match(text ?? '', /used up/);
    assert.deepEqual(await kindsOf(rig), ['totp']);
    assertRefused(await answer(rig, {}, code));
  });

  it('is asked for if the account has no other factor, and allows nothing else', async () => {
    await put(rig, { factors: [] });
    const code = await give(rig);
    assertAccepted(await answer(rig, {}, code.replaceAll(' ', '')));
    assert.equal((await rig.verifier.open(facts())).kind, 'done');
  });

  it('is recorded with its issuer, and its text is not in the audit trail', async () => {
    const code = await give(rig);
    assertAccepted(await answer(rig, {}, code));
    const [given, used] = await eventsOf(rig);
    assert.deepEqual(
      [given?.kind, given?.outcome, given?.reason, given?.actor, given?.factor?.kind],
      ['factor-added', 'done', 'issued', 'uid:1001', 'bypass'],
    );
    assert.deepEqual([used?.outcome, used?.factor?.id], ['success', given?.factor?.id]);
    const all = JSON.stringify([await eventsOf(rig), rig.logged]);
    assert.ok(!all.includes(code) && !all.includes(code.replaceAll(' ', '')));
  });

  it('replaces the previous one', async () => {
    const first = await give(rig);
    const second = await give(rig);
    assert.deepEqual(await kindsOf(rig), ['totp', 'bypass']);
    assertRefused(await answer(rig, {}, first === second ? other(second) : first));
    assertAccepted(await answer(rig, {}, second));
  });

  it('counts as a typed code, and is locked with them', async () => {
    const code = await give(rig);
    for (let tries = 0; tries < 3; tries += 1) await answers(rig, {}, other(code), other(code), other(code));
    assert.ok((await recordOf(rig)).lock.codesLockedAt !== undefined);
    assert.equal((await rig.verifier.open(facts())).kind, 'done');
  });

  it('issued during a lockout reports it', async () => {
    await put(rig, { lock: { codes: 8, any: 8, codesLockedAt: rig.clock.at } });
    const request = { actor: 'uid:0', user: 'alice', verify: false, kind: 'bypass', forMs: hour } as const;
    const { warning } = await rig.verifier.enrol(request);
    assert.match(warning ?? '', /sallyport user unlock alice/);
  });

  it('is void from its end on, and when the clock is before its beginning', async () => {
    const code = await give(rig, minute);
    const start = rig.clock.at;
    for (const [at, accepted] of [
      [start - 1, false],
      [start + minute, false],
      [start + minute - 1, true],
    ] as const) {
      rig.clock.at = at;
      assert.equal(isAccepted(await answer(rig, {}, code)), accepted, String(at - start));
    }
  });

  it('that ends between prompt and answer is refused', async () => {
    const code = await give(rig, minute);
    const login = await opened(rig);
    rig.clock.pass(minute);
    assertRefused(await answered(rig, login, code));
  });

  it('follows the password if both are one answer', async () => {
    const code = await give(rig);
    const verdict = assertAccepted(await answer(rig, { mode: 'password-and-code' }, `secret${code}`));
    assert.equal(verdict.strip, 11);
    const next = (await give(rig)).replaceAll(' ', '');
    assert.equal(assertAccepted(await answer(rig, { mode: 'first-pass' }, `secret9${next}`)).strip, 9);
  });

  it('creates no grant: it allows one login', async () => {
    rig.setRealms(realm({ rules: [rule(remember)] }));
    assertAccepted(await answer(rig, {}, await give(rig)));
    assert.deepEqual((await recordOf(rig)).grants, []);
    assertAccepted(await answer(rig, {}, codeNow(rig)));
    assert.equal((await recordOf(rig)).grants.length, 1);
  });

  it('is used up by verify too', async () => {
    const code = await give(rig);
    const verify = () => rig.verifier.verify({ actor: 'uid:0', user: 'alice', answer: Buffer.from(code) });
    assert.equal((await verify()).outcome, 'accepted');
    assert.deepEqual(await kindsOf(rig), ['totp']);
    assert.equal((await verify()).outcome, 'refused');
  });

  for (const verifiers of [1, 2]) {
    it(`64 concurrent attempts, by ${verifiers} verifier(s): one is accepted`, async () => {
      rig = makeRig(realm({ lockout: { codes: 1_000, any: 1_000, forMs: hour } }));
      await put(rig, { factors: [totpFactor()] });
      const code = await give(rig);
      rig.store.unsteady = true;
      const made = [rig.verifier, rig.anotherVerifier()].slice(0, verifiers);
      const verdicts = await Promise.all(
        Array.from({ length: 64 }, async (_, each) => {
          const verifier = made[each % verifiers] ?? rig.verifier;
          return answered(rig, await opened(rig, {}, verifier), code, verifier);
        }),
      );
      assert.equal(verdicts.filter(isAccepted).length, 1);
      assert.deepEqual(await kindsOf(rig), ['totp']);
      const successes = (await eventsOf(rig)).filter(({ outcome }) => outcome === 'success');
      assert.equal(successes.length, 1);
    });
  }
});

describe('imported scratch codes', () => {
  const codes = ['10000000', '23456789', '87654321'] as const;
  let rig: Rig;
  beforeEach(async () => {
    rig = makeRig();
    const hashed = hashScratchCodes(codes, Buffer.alloc(16, 9), keyedHash);
    const scratch = {
      id: 's1',
      kind: 'scratch',
      name: 'Scratch codes',
      created: rig.clock.at,
      enabled: true,
      ...hashed,
    } as const;
    await put(rig, { factors: [totpFactor(), recoveryFactor(), scratch] });
  });

  it('each are accepted once, with the advice to replace them', async () => {
    for (const [index, code] of codes.entries()) {
      const { text } = assertAccepted(await answer(rig, {}, code));
      assert.match(text ?? '', /sallyport factor add recovery/);
      assert.match(text ?? '', index === 2 ? /last/ : new RegExp(`^${2 - index} scratch`));
      assertRefused(await answer(rig, {}, code));
    }
    const left = await factorOf(rig, 's1');
    assert.ok(left.kind === 'scratch' && left.hashes.every((hash) => hash === null));
  });

  it('count as typed codes: wrong ones lock them, and a right one clears nothing', async () => {
    await put(rig, { lock: { codes: 7, any: 7 } });
    assertRefused(await answer(rig, {}, '99999999'));
    assert.ok((await recordOf(rig)).lock.codesLockedAt !== undefined);
    assertRefused(await answer(rig, {}, codes[0]));
    assertAccepted(await answer(rig, {}, recoveryKeys[0] ?? ''));
    assertAccepted(await answer(rig, {}, codes[0]));
  });
});
