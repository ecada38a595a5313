import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { YubikeyRecord } from '../../../daemon/factors/contract.ts';
import type { EnrolRequest } from '../../../daemon/verifier.ts';
import {
  answer,
  assertAccepted,
  assertRefused,
  codeNow,
  eventsOf,
  factorOf,
  isAccepted,
  makeRig,
  put,
  type Rig,
  recordOf,
  recoveryFactor,
  recoveryKeys,
  totpFactor,
} from '../../support/verifier-rig.ts';
import { otp, programmed } from '../../support/yubikey.ts';
import { facts, realm } from '../policy/support.ts';

const touch = (session: number): string => otp({ use: 7, session });

function request(user: string, changes: Partial<EnrolRequest & { kind: 'yubikey' }> = {}): EnrolRequest {
  return {
    actor: 'uid:0',
    user,
    kind: 'yubikey',
    validation: 'local',
    publicId: programmed.publicId,
    privateId: Buffer.from(programmed.privateId),
    secret: Buffer.from(programmed.aesKey),
    verify: true,
    ...changes,
  };
}

async function yubikeyOf(rig: Rig, account: string): Promise<YubikeyRecord> {
  const found = (await recordOf(rig, account)).factors.find((factor) => factor.kind === 'yubikey');
  assert.ok(found?.kind === 'yubikey');
  return found;
}

describe('a YubiKey', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = makeRig();
    await rig.verifier.enrol(request('alice', { code: Buffer.from(touch(0)) }));
  });

  it('is enrolled by one touch, which is spent, and is asked for', async () => {
    assertRefused(await answer(rig, {}, touch(0)));
    const opening = await rig.verifier.open(facts({}));
    assert.ok(opening.kind === 'ask');
    assert.equal(opening.prompt, 'YubiKey OTP: ');
    assertAccepted(await answer(rig, {}, touch(1)));
    assertRefused(await answer(rig, {}, touch(1)));
    assertRefused(await answer(rig, {}, touch(0)));
    assertAccepted(await answer(rig, {}, otp({ use: 8, session: 0 })));
  });

  it('counts as a typed code when it is wrong or a replay', async () => {
    assertRefused(await answer(rig, {}, touch(0)));
    assertRefused(
      await answer(rig, {}, otp({ use: 9, session: 0 }, { ...programmed, aesKey: Buffer.alloc(16) })),
    );
    const { lock } = await recordOf(rig, 'alice');
    assert.deepEqual([lock.codes, lock.any], [2, 2]);
  });

  it('stands behind a password too', async () => {
    const given = { mode: 'password-and-code' } as const;
    const verdict = assertAccepted(await answer(rig, given, `hunter2${touch(1)}`));
    assert.equal(verdict.strip, touch(1).length);
    assertRefused(await answer(rig, given, `hunter2${touch(1)}`));
  });

  it('of somebody else lets nobody in', async () => {
    await put(rig, { account: 'bob', factors: [totpFactor()] });
    assertRefused(await answer(rig, { user: 'bob' }, touch(1)));
    assertAccepted(await answer(rig, {}, touch(1)));
  });

  it('that is disabled, or removed, lets nobody in', async () => {
    const record = await recordOf(rig, 'alice');
    const key = await yubikeyOf(rig, 'alice');
    await put(rig, { factors: [totpFactor(), { ...key, enabled: false }] });
    assertRefused(await answer(rig, {}, touch(1)));
    await put(rig, { ...record, factors: [totpFactor()] });
    assertRefused(await answer(rig, {}, touch(1)));
  });

  it('comes back under the mark that it had', async () => {
    assertAccepted(await answer(rig, {}, touch(5)));
    await put(rig, { factors: [totpFactor()] });
    await assert.rejects(rig.verifier.enrol(request('alice', { code: Buffer.from(touch(5)) })), {
      code: 'wrong-code',
      message: /used before; touch the key again/,
    });
    await rig.verifier.enrol(request('alice', { verify: false }));
    assertRefused(await answer(rig, {}, touch(4)));
    assertAccepted(await answer(rig, {}, touch(6)));
  });

  it('can be verified, which spends the press', async () => {
    const verified = await rig.verifier.verify({
      actor: 'uid:0',
      user: 'alice',
      answer: Buffer.from(touch(3)),
    });
    assert.equal(verified.outcome, 'accepted');
    assertRefused(await answer(rig, {}, touch(3)));
  });
});

describe('a YubiKey of two accounts', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = makeRig();
    await rig.verifier.enrol(request('alice', { code: Buffer.from(touch(0)) }));
    await rig.verifier.enrol(request('bob', { code: Buffer.from(touch(1)) }));
  });

  it('is spent for both', async () => {
    assertRefused(await answer(rig, {}, touch(1)));
    assertAccepted(await answer(rig, { user: 'bob' }, touch(2)));
    assertRefused(await answer(rig, {}, touch(2)));
    assertRefused(await answer(rig, {}, touch(1)));
    assertAccepted(await answer(rig, {}, touch(3)));
  });

  it('lets in one of 64 who try one press at once, and says so in one event', async () => {
    for (let round = 2; round < 12; round += 1) {
      rig.store.unsteady = true;
      const [one, other] = [rig.verifier, rig.anotherVerifier()];
      const verdicts = await Promise.all(
        Array.from({ length: 64 }, (_, index) =>
          answer(
            { ...rig, verifier: index % 4 < 2 ? one : other },
            { user: index % 2 === 0 ? 'alice' : 'bob' },
            touch(round),
          ).catch(() => undefined),
        ),
      );
      rig.store.unsteady = false;
      assert.equal(verdicts.filter((verdict) => verdict && isAccepted(verdict)).length, 1, `round ${round}`);
      for (const account of ['alice', 'bob']) await put(rig, { account, lock: { codes: 0, any: 0 } });
    }
    const told = (await eventsOf(rig)).filter(
      ({ kind, outcome }) => kind === 'login' && outcome === 'success',
    );
    assert.equal(told.length, 10);
  });
});

describe('a realm that requires a YubiKey', () => {
  it('takes it and recovery keys, and neither adds nor uses anything else (R8, R9)', async () => {
    const rig = makeRig(realm({ require: ['yubikey'] }));
    await put(rig, { factors: [totpFactor(), recoveryFactor()] });
    await rig.verifier.enrol(request('alice', { code: Buffer.from(touch(0)) }));
    assertRefused(await answer(rig, {}, codeNow(rig)));
    assertAccepted(await answer(rig, {}, touch(1)));
    assertAccepted(await answer(rig, {}, recoveryKeys[0] ?? ''));
    assert.equal((await factorOf(rig, 't1')).lastUsed, undefined);
    const seed = { secret: Buffer.alloc(20, 9), digits: 6, algorithm: 'sha1' } as const;
    const common = { actor: 'uid:0', user: 'alice', verify: false } as const;
    for (const other of [
      { ...common, ...seed, kind: 'totp', period: 30 },
      { ...common, ...seed, kind: 'hotp', counter: 0 },
    ] as const)
      await assert.rejects(rig.verifier.enrol(other), { code: 'kind-refused' });
  });

  it('that requires TOTP does not take a YubiKey', async () => {
    const rig = makeRig(realm({ require: ['totp'] }));
    await put(rig, { factors: [totpFactor()] });
    await rig.verifier.enrol(request('alice', { code: Buffer.from(touch(0)) }));
    assertRefused(await answer(rig, {}, touch(1)));
  });
});

describe('enrolling a YubiKey', () => {
  it('refuses what cannot be one, the same one twice, and a touch of another; nothing is stored, all is wiped', async () => {
    const rig = makeRig();
    const other = otp({ use: 7, session: 0 }, { ...programmed, privateId: Buffer.alloc(6, 1) });
    const wrongs = [
      [request('alice', { publicId: 'cc1' }), 'bad-secret'],
      [request('alice', { publicId: '' }), 'bad-secret'],
      [request('alice', { privateId: Buffer.alloc(5, 1) }), 'bad-secret'],
      [request('alice', { secret: Buffer.alloc(32, 1) }), 'bad-secret'],
      [request('alice', { code: Buffer.from(other) }), 'wrong-code'],
      [request('alice', { code: Buffer.from('123456') }), 'wrong-code'],
      [request('alice'), 'wrong-code'],
    ] as const;
    for (const [wrong, code] of wrongs) {
      await assert.rejects(rig.verifier.enrol(wrong), { code });
      assert.ok(wrong.kind === 'yubikey');
      for (const bytes of [wrong.secret, wrong.privateId, wrong.code ?? Buffer.alloc(1)])
        assert.ok(bytes.every((byte) => byte === 0));
    }
    assert.equal((await rig.store.account('alice')).version, 0);
    assert.equal((await rig.store.token(programmed.publicId)).version, 0);
    await rig.verifier.enrol(request('alice', { verify: false }));
    await assert.rejects(rig.verifier.enrol(request('alice', { verify: false })), { code: 'bad-secret' });
  });
});
