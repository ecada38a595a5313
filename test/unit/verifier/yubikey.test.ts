import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { createValidations } from '../../../daemon/authenticators/validations.ts';
import type { YubikeyRecord } from '../../../daemon/factors/yubikey.ts';
import { limits } from '../../../daemon/limits.ts';
import { otpForServers } from '../../../daemon/verifier/evaluate-answer.ts';
import type { EnrolRequest } from '../../../daemon/verifier/verifier.ts';
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
  unverified,
} from '../../support/verifier-rig.ts';
import { otp, programmed } from '../../support/yubikey.ts';
import { facts, realm } from '../policy/support.ts';

const touch = (session: number): string => otp({ use: 7, session });

interface LocalRequest {
  readonly publicId: string;
  readonly privateId: Buffer;
  readonly secret: Buffer;
  readonly verify: boolean;
  readonly code: Buffer;
}

function request(user: string, changes: Partial<LocalRequest> = {}): EnrolRequest {
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

  it('typed with a Dvorak layout is that press, used in every spelling, and an unverified client names the layout', async () => {
    const modhex = 'cbdefghijklnrtuv';
    const dvorak = (text: string) => [...text].map((one) => 'jxe.uidchtnbpygk'[modhex.indexOf(one)]).join('');
    const press = otp({ use: 30, session: 0 });
    assertAccepted(await answer(rig, {}, dvorak(press)));
    for (const typed of [press, dvorak(press), dvorak(press).toUpperCase()])
      assertRefused(await answer(rig, {}, typed));
    assertRefused(await answer(rig, unverified, dvorak(otp({ use: 29, session: 0 }))));
    assertAccepted(await answer(rig, unverified, dvorak(otp({ use: 31, session: 0 }))));
    const stranger = otp({ use: 40, session: 0 }, { ...programmed, publicId: 'ccccccccccch' });
    const refused = assertRefused(await answer(rig, {}, dvorak(stranger)));
    assert.match(refused.text ?? '', /layout Dvorak/);
    assert.equal((await eventsOf(rig)).at(-1)?.reason, 'unknown-format');
  });

  it('is enrolled by one touch, which is used, and is asked for', async () => {
    assertRefused(await answer(rig, {}, touch(0)));
    const opening = await rig.verifier.open(facts({}));
    assert.ok(opening.kind === 'ask');
    assert.equal(opening.prompt, 'YubiKey OTP: ');
    assertAccepted(await answer(rig, {}, touch(1)));
    assertRefused(await answer(rig, {}, touch(1)));
    assertRefused(await answer(rig, {}, touch(0)));
    assertAccepted(await answer(rig, {}, otp({ use: 8, session: 0 })));
  });

  it('counts as a typed code when it is wrong or a late replay', async () => {
    rig.clock.pass(limits.replayWindow);
    assertRefused(await answer(rig, {}, touch(0)));
    assertRefused(
      await answer(rig, {}, otp({ use: 9, session: 0 }, { ...programmed, aesKey: Buffer.alloc(16) })),
    );
    const { lock } = await recordOf(rig, 'alice');
    assert.deepEqual([lock.codes, lock.any], [2, 2]);
  });

  it('works after a password too', async () => {
    const given = { mode: 'password-and-code' } as const;
    const verdict = assertAccepted(await answer(rig, given, `hunter2${touch(1)}`));
    assert.equal(verdict.strip, touch(1).length);
    assertRefused(await answer(rig, given, `hunter2${touch(1)}`));
  });

  it('of another user is refused', async () => {
    await put(rig, { account: 'bob', factors: [totpFactor()] });
    assertRefused(await answer(rig, { user: 'bob' }, touch(1)));
    assertAccepted(await answer(rig, {}, touch(1)));
  });

  it('that is disabled, or removed, is refused', async () => {
    const record = await recordOf(rig, 'alice');
    const key = await yubikeyOf(rig, 'alice');
    await put(rig, { factors: [totpFactor(), { ...key, enabled: false }] });
    assertRefused(await answer(rig, {}, touch(1)));
    await put(rig, { ...record, factors: [totpFactor()] });
    assertRefused(await answer(rig, {}, touch(1)));
  });

  it('added again keeps its last-used counter', async () => {
    assertAccepted(await answer(rig, {}, touch(5)));
    await put(rig, { factors: [totpFactor()] });
    await assert.rejects(rig.verifier.enrol(request('alice', { code: Buffer.from(touch(5)) })), {
      code: 'wrong-code',
      message: /already used; touch the key again/,
    });
    await rig.verifier.enrol(request('alice', { verify: false }));
    assertRefused(await answer(rig, {}, touch(4)));
    assertAccepted(await answer(rig, {}, touch(6)));
  });

  it('can be verified, which uses the press', async () => {
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

  it('is used for both', async () => {
    assertRefused(await answer(rig, {}, touch(1)));
    assertAccepted(await answer(rig, { user: 'bob' }, touch(2)));
    assertRefused(await answer(rig, {}, touch(2)));
    assertRefused(await answer(rig, {}, touch(1)));
    assertAccepted(await answer(rig, {}, touch(3)));
  });

  it('accepts one of 64 concurrent attempts with one press, with one event', async () => {
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
    const reported = (await eventsOf(rig)).filter(
      ({ kind, outcome }) => kind === 'login' && outcome === 'success',
    );
    assert.equal(reported.length, 10);
  });
});

describe('a realm that requires a YubiKey', () => {
  it('accepts it and recovery keys, and neither adds nor uses other kinds (R8, R9)', async () => {
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
      await assert.rejects(rig.verifier.enrol(other), { code: 'factor-kind-not-allowed' });
  });

  it('that requires TOTP does not accept a YubiKey', async () => {
    const rig = makeRig(realm({ require: ['totp'] }));
    await put(rig, { factors: [totpFactor()] });
    await rig.verifier.enrol(request('alice', { code: Buffer.from(touch(0)) }));
    assertRefused(await answer(rig, {}, touch(1)));
  });
});

describe('enrolling a YubiKey', () => {
  it('rejects an invalid OTP, the same key twice, and a touch of another; nothing is stored, all is wiped', async () => {
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
      assert.ok(wrong.kind === 'yubikey' && wrong.validation === 'local');
      for (const bytes of [wrong.secret, wrong.privateId, wrong.code ?? Buffer.alloc(1)])
        assert.ok(bytes.every((byte) => byte === 0));
    }
    assert.equal((await rig.store.account('alice')).version, 0);
    assert.equal((await rig.store.token(`id:${programmed.publicId}`)).version, 0);
    await rig.verifier.enrol(request('alice', { verify: false }));
    await assert.rejects(rig.verifier.enrol(request('alice', { verify: false })), { code: 'bad-secret' });
  });
});

describe('a YubiKey under two public ids', () => {
  const other = { ...programmed, publicId: 'ccccccccccch' };
  const add = (rig: Rig, user: string, publicId: string, code?: string) =>
    rig.verifier.enrol(
      request(user, { publicId, ...(code === undefined ? { verify: false } : { code: Buffer.from(code) }) }),
    );

  it('is used under both, for two accounts and after it was added again', async () => {
    const rig = makeRig();
    await add(rig, 'alice', programmed.publicId);
    await add(rig, 'bob', other.publicId);
    assertAccepted(await answer(rig, {}, otp({ use: 40, session: 0 })));
    assertRefused(await answer(rig, { user: 'bob' }, otp({ use: 40, session: 0 }, other)));
    await put(rig, { factors: [totpFactor()] });
    await assert.rejects(add(rig, 'alice', other.publicId, otp({ use: 40, session: 0 }, other)), {
      code: 'wrong-code',
    });
    await add(rig, 'alice', other.publicId, otp({ use: 40, session: 1 }, other));
    assertRefused(await answer(rig, { user: 'bob' }, otp({ use: 40, session: 1 }, other)));
    assertAccepted(await answer(rig, { user: 'bob' }, otp({ use: 40, session: 2 }, other)));
  });

  it('is one key for one account', async () => {
    const rig = makeRig();
    await add(rig, 'alice', programmed.publicId);
    await assert.rejects(add(rig, 'alice', other.publicId), {
      code: 'bad-secret',
      message: /this very YubiKey/,
    });
  });

  it('does not interfere with another key under the same public id', async () => {
    const rig = makeRig();
    const stranger = { ...programmed, aesKey: Buffer.alloc(16, 5) };
    await add(rig, 'alice', programmed.publicId);
    await rig.verifier.enrol(request('bob', { secret: Buffer.from(stranger.aesKey), verify: false }));
    assertAccepted(await answer(rig, { user: 'bob' }, otp({ use: 32_767, session: 255 }, stranger)));
    assertAccepted(await answer(rig, {}, touch(1)));
  });
});

describe('last-used counters of YubiKeys', () => {
  it('that are missing refuse the key, and nothing else', async () => {
    const rig = makeRig();
    await rig.verifier.enrol(request('alice', { code: Buffer.from(touch(0)) }));
    const key = await yubikeyOf(rig, 'alice');
    const bare = makeRig();
    await put(bare, { factors: [key, totpFactor(), recoveryFactor()] });
    await assert.rejects(answer(bare, {}, touch(1)), { code: 'record-damaged' });
    assertAccepted(await answer(bare, {}, codeNow(bare)));
    assertAccepted(await answer(bare, {}, recoveryKeys[0] ?? ''));
  });

  it('are not read for an answer that is not an OTP', async () => {
    const rig = makeRig();
    await rig.verifier.enrol(request('alice', { code: Buffer.from(touch(0)) }));
    const read: string[] = [];
    const { store } = rig;
    const token = store.token.bind(store);
    store.token = (name) => {
      read.push(name);
      return token(name);
    };
    assertRefused(await answer(rig, {}, '123456'));
    assert.deepEqual(read, []);
    assertAccepted(await answer(rig, {}, touch(1)));
    assert.equal(read.length, 2);
  });
});

it('an OTP typed during a lockout of codes counts as no failure, though its end may look like a recovery key', async () => {
  const rig = makeRig();
  await rig.verifier.enrol(request('alice', { code: Buffer.from(touch(0)) }));
  const key = await yubikeyOf(rig, 'alice');
  const lock = { codes: 8, any: 8, codesLockedAt: rig.clock.at };
  await put(rig, { factors: [key, recoveryFactor()], lock });
  const alike = Array.from({ length: 600 }, (_, session) =>
    otp({ use: 100 + (session >> 8), session: session & 255 }),
  )
    .filter((text) => !/[il]/.test(text.slice(-20)))
    .slice(0, 3);
  assert.equal(alike.length, 3);
  for (const text of alike)
    assertRefused(await answer(rig, { mode: 'password-and-code' }, `hunter2 ${text}`));
  assert.deepEqual((await recordOf(rig, 'alice')).lock, lock);
});

describe('a YubiKey validated by servers', () => {
  const servers = { urls: ['https://yk.example/'], clientId: '7', keyFile: '/etc/k' };
  const cloud = (code: string): EnrolRequest => ({
    actor: 'uid:0',
    user: 'alice',
    kind: 'yubikey',
    validation: 'cloud',
    verify: true,
    code: Buffer.from(code),
  });
  let rig: Rig;
  let asked: string[];
  beforeEach(async () => {
    rig = makeRig(realm({ yubikey: { servers } }));
    asked = [];
    rig.servers = async (given, text) => {
      assert.deepEqual(given, servers);
      asked.push(text);
      return 'valid';
    };
    await rig.verifier.enrol(cloud(touch(0)));
  });

  it('is enrolled by one touch, with one request for each answer, and accepts none twice whatever the servers report', async () => {
    assert.deepEqual(asked.splice(0), [touch(0)]);
    assertRefused(await answer(rig, {}, touch(0)));
    assertAccepted(await answer(rig, {}, touch(1)));
    assertRefused(await answer(rig, {}, touch(1)));
    assertAccepted(await answer(rig, { mode: 'password-and-code' }, `hunter2${touch(2)}`));
    assert.equal(asked.length, 4);
    assert.ok((await yubikeyOf(rig, 'alice')).validation === 'cloud');
  });

  it('accepts one of 64 concurrent attempts though all were reported as valid', async () => {
    rig.store.unsteady = true;
    const [one, other] = [rig.verifier, rig.anotherVerifier()];
    const verdicts = await Promise.all(
      Array.from({ length: 64 }, (_, index) =>
        answer({ ...rig, verifier: index % 2 === 0 ? one : other }, {}, touch(1)).catch(() => undefined),
      ),
    );
    assert.equal(verdicts.filter((verdict) => verdict && isAccepted(verdict)).length, 1);
  });

  it('counts as the servers report: wrong and replay as wrong, no response as nothing; other factors still work', async () => {
    for (const verdict of ['wrong', 'replay', 'unavailable'] as const) {
      rig.servers = async () => verdict;
      const refusal = assertRefused(await answer(rig, {}, touch(3)));
      assert.equal(refusal.again, true);
      if (verdict === 'unavailable') assert.match(refusal.text ?? '', /servers do not answer/);
    }
    const { lock, factors } = await recordOf(rig, 'alice');
    assert.deepEqual([lock.codes, lock.any], [2, 2]);
    assert.equal((await eventsOf(rig)).at(-1)?.reason, 'unavailable');
    await put(rig, { factors: [...factors, recoveryFactor()] });
    assertAccepted(await answer(rig, {}, recoveryKeys[0] ?? ''));
  });

  it('sends no server a password, another key’s OTP, or anything during a lockout of codes', async () => {
    asked.length = 0;
    const stranger = otp({ use: 1, session: 0 }, { ...programmed, publicId: 'ccccccccccch' });
    for (const text of ['hunter2', 'c'.repeat(44), stranger, '123456'])
      assertRefused(await answer(rig, {}, text));
    const key = await yubikeyOf(rig, 'alice');
    const locked = { codes: 8, any: 8, codesLockedAt: rig.clock.at };
    await put(rig, { factors: [key, recoveryFactor()], lock: locked });
    assertRefused(await answer(rig, {}, touch(1)));
    await put(rig, {
      lock: { codes: 0, any: 0 },
      factors: [{ ...key, enabled: false }, totpFactor()],
    });
    assertRefused(await answer(rig, {}, touch(1)));
    assert.deepEqual(asked, []);
  });

  it('is decided again after waiting for the servers', async () => {
    rig.servers = async () => {
      await put(rig, { lock: { codes: 8, any: 8, codesLockedAt: rig.clock.at } });
      return 'valid';
    };
    assertRefused(await answer(rig, {}, touch(1)));
  });

  it('is decided again with a policy activated meanwhile', async () => {
    rig.servers = async () => {
      rig.setRealms(realm({ require: ['totp'] }));
      return 'valid';
    };
    assertRefused(await answer(rig, {}, touch(1)));
  });

  it('has a verdict only for the OTP that was sent', async () => {
    const factor = await yubikeyOf(rig, 'alice');
    const whole = Buffer.from(touch(1));
    const question = { factors: [factor], codesLocked: false, answer: whole, where: 'whole' } as const;
    const validations = createValidations(async () => 'valid');
    const asked = { answer: whole, otp: otpForServers(question) };
    await validations.needed(servers, asked, { account: 'alice' })?.fetch();
    const validated = validations.said(whole);
    assert.equal(validated?.(touch(1)), 'valid');
    assert.equal(validated?.(touch(2)), 'unavailable');
  });

  it('is not added without a verdict, without servers, or if the realm requires local validation', async () => {
    await put(rig, { factors: [] });
    rig.servers = async () => 'unavailable';
    await assert.rejects(rig.verifier.enrol(cloud(touch(1))), { code: 'validation-unavailable' });
    rig.servers = async () => 'wrong';
    await assert.rejects(rig.verifier.enrol(cloud(touch(1))), { code: 'wrong-code' });
    await assert.rejects(rig.verifier.enrol(cloud('123456')), { code: 'wrong-code' });
    rig.servers = async () => 'valid';
    rig.setRealms(realm());
    await assert.rejects(rig.verifier.enrol(cloud(touch(1))), { code: 'validation-unavailable' });
    rig.setRealms(realm({ yubikey: { servers, validation: 'local' } }));
    await assert.rejects(rig.verifier.enrol(cloud(touch(1))), { code: 'factor-kind-not-allowed' });
    rig.setRealms(realm({ yubikey: { servers, validation: 'cloud' } }));
    await assert.rejects(rig.verifier.enrol(request('alice')), { code: 'factor-kind-not-allowed' });
    assert.deepEqual((await recordOf(rig, 'alice')).factors, []);
  });

  it('is not used if the realm requires local validation', async () => {
    await put(rig, { factors: [await yubikeyOf(rig, 'alice'), totpFactor()] });
    rig.setRealms(realm({ yubikey: { servers, validation: 'local' } }));
    asked.length = 0;
    assertRefused(await answer(rig, {}, touch(1)));
    assert.deepEqual(asked, []);
    assertAccepted(await answer(rig, {}, codeNow(rig)));
  });

  it('and the same key validated locally share used presses', async () => {
    await rig.verifier.enrol(request('bob', { verify: false }));
    assertAccepted(await answer(rig, {}, touch(1)));
    assertRefused(await answer(rig, { user: 'bob' }, touch(1)));
    assertAccepted(await answer(rig, { user: 'bob' }, touch(2)));
    assertRefused(await answer(rig, {}, touch(2)));
  });
});
