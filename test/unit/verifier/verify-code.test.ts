import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { SallyportError } from '../../../daemon/lib/errors.ts';
import type { EnrolRequest, EnrolResult, VerifyResult } from '../../../daemon/verifier/verifier.ts';
import { hotp, totp } from '../../support/codes.ts';
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
} from '../../support/verifier-rig.ts';
import { hour, members, realm } from '../policy/support.ts';

const newSeed = (): Buffer => Buffer.from('a-seed-that-is-new--');
type Totp = EnrolRequest & { kind: 'totp' };
type Hotp = EnrolRequest & { kind: 'hotp' };
const actor = { actor: 'uid:0', user: 'alice' } as const;

function totpRequest(changes: Partial<Totp> = {}): Totp {
  const settings = { digits: 6, period: 30, algorithm: 'sha1' } as const;
  return { ...actor, kind: 'totp', verify: true, secret: newSeed(), ...settings, ...changes };
}
function hotpRequest(changes: Partial<Hotp> = {}): Hotp {
  return {
    ...actor,
    kind: 'hotp',
    verify: true,
    secret: newSeed(),
    digits: 6,
    algorithm: 'sha1',
    counter: 0,
    ...changes,
  };
}
const recoveryRequest = (changes: { name?: string } = {}): EnrolRequest => ({
  ...actor,
  kind: 'recovery',
  verify: false,
  ...changes,
});

function isWiped(bytes: Buffer | undefined): boolean {
  return bytes?.every((byte) => byte === 0) ?? true;
}

/** In every case the typed text is wiped. */
async function enrol(rig: Rig, request: EnrolRequest): Promise<EnrolResult> {
  try {
    return await rig.verifier.enrol(request);
  } finally {
    assert.ok(isWiped(request.code), 'the code was not wiped');
    assert.ok(!('secret' in request) || isWiped(request.secret), 'the secret was not wiped');
  }
}

async function fails(rig: Rig, request: EnrolRequest, code: string): Promise<void> {
  const before = await rig.store.account('alice');
  await assert.rejects(enrol(rig, request), (error: unknown) => {
    assert.ok(error instanceof SallyportError, String(error));
    assert.equal(error.code, code);
    assert.ok(!/a-seed-that-is-new|YS1zZWVk/.test(error.message));
    return true;
  });
  assert.deepEqual(await rig.store.account('alice'), before, 'and nothing was changed');
}

async function verify(rig: Rig, text: string, previous?: string): Promise<VerifyResult> {
  const given = Buffer.from(text);
  const before = previous === undefined ? undefined : Buffer.from(previous);
  try {
    return await rig.verifier.verify({
      ...actor,
      answer: given,
      ...(before === undefined ? {} : { previous: before }),
    });
  } finally {
    assert.ok(isWiped(given) && isWiped(before), 'an answer was not wiped');
  }
}

describe('enrolling a factor', () => {
  let rig: Rig;
  const current = (step = 0): Buffer => Buffer.from(totp(newSeed(), { at: rig.clock.at, step }));
  beforeEach(() => {
    rig = makeRig();
  });

  it('uses the TOTP code that confirms it, and every older one', async () => {
    const made = await enrol(rig, totpRequest({ code: current() }));
    assert.equal(made.factor.enabled, true);
    for (const step of [0, -1])
      assertRefused(await answer(rig, {}, totp(newSeed(), { at: rig.clock.at, step })));
    assertAccepted(await answer(rig, {}, totp(newSeed(), { at: rig.clock.at, step: 1 })));
  });

  it('uses the HOTP code that confirms it', async () => {
    await enrol(rig, hotpRequest({ counter: 7, code: Buffer.from(hotp(newSeed(), 8)) }));
    for (const counter of [7, 8]) assertRefused(await answer(rig, {}, hotp(newSeed(), counter)));
    assertAccepted(await answer(rig, {}, hotp(newSeed(), 9)));
  });

  it('enrols nothing with a code that does not match', async () => {
    await fails(rig, totpRequest({ code: Buffer.from('000000') }), 'wrong-code');
    await fails(rig, totpRequest({ code: current(50) }), 'wrong-code');
    await fails(rig, totpRequest({ code: Buffer.alloc(0) }), 'wrong-code');
    await fails(rig, totpRequest(), 'wrong-code');
    await fails(rig, hotpRequest({ code: Buffer.from(hotp(newSeed(), 50)) }), 'wrong-code');
    await fails(rig, totpRequest({ digits: 8, code: current() }), 'wrong-code');
    assert.equal((await rig.store.account('alice')).value, undefined, 'not even an empty record');
  });

  it('uses no code if root skips verification', async () => {
    await enrol(rig, hotpRequest({ verify: false }));
    assertAccepted(await answer(rig, {}, hotp(newSeed(), 0)));
  });

  it('enrols once though the same code arrives 16 times at once', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 16 }, () => enrol(rig, totpRequest({ code: current() }))),
    );
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
    assert.equal((await recordOf(rig)).factors.length, 1);
  });

  it('stores one seed only once: same kind, other kind, other digits, disabled', async () => {
    await enrol(rig, totpRequest({ code: current() }));
    await fails(rig, totpRequest({ verify: false }), 'bad-secret');
    await fails(
      rig,
      totpRequest({ verify: false, digits: 8, period: 60, algorithm: 'sha256' }),
      'bad-secret',
    );
    await fails(rig, hotpRequest({ verify: false }), 'bad-secret');
    const { factors } = await recordOf(rig);
    await put(rig, { factors: factors.map((factor) => ({ ...factor, enabled: false })) });
    await fails(rig, totpRequest({ verify: false }), 'bad-secret');
  });

  it('nor a seed that is the same for HMAC: trailing zeros change no code', async () => {
    await enrol(rig, hotpRequest({ verify: false }));
    const padded = Buffer.concat([newSeed(), Buffer.alloc(4)]);
    assert.equal(hotp(padded, 0), hotp(newSeed(), 0));
    const second = enrol(rig, hotpRequest({ verify: false, secret: padded }));
    await second.catch(() => undefined);
    assertAccepted(await answer(rig, {}, hotp(newSeed(), 0)));
    assertRefused(await answer(rig, {}, hotp(newSeed(), 0)));
  });

  it('accepts seeds of 80 bits to 64 bytes', async () => {
    await fails(rig, totpRequest({ verify: false, secret: Buffer.alloc(9, 1) }), 'bad-secret');
    await fails(rig, totpRequest({ verify: false, secret: Buffer.alloc(65, 1) }), 'bad-secret');
    await enrol(rig, totpRequest({ verify: false, secret: Buffer.alloc(10, 1) }));
    await enrol(rig, totpRequest({ verify: false, secret: Buffer.alloc(64, 2) }));
  });

  it('shows ten recovery keys once, each accepted once, and stores none in clear', async () => {
    const { recoveryKeys: keys = [], factor } = await enrol(rig, recoveryRequest());
    assert.equal(new Set(keys).size, 10);
    assert.equal(factor.left, 10);
    const kept = JSON.stringify(await recordOf(rig));
    for (const key of keys) {
      assert.ok(!kept.includes(key) && !kept.includes(key.replaceAll('-', '')));
      assertAccepted(await answer(rig, {}, key));
      if (key !== keys.at(-1)) assertRefused(await answer(rig, {}, key));
    }
  });

  it('replaces the former recovery set, used up or not, and says so', async () => {
    const first = await enrol(rig, recoveryRequest());
    const second = await enrol(rig, recoveryRequest());
    assert.deepEqual(
      second.replaced.map(({ id }) => id),
      [first.factor.id],
    );
    assert.equal((await recordOf(rig)).factors.length, 1);
    assertRefused(await answer(rig, {}, first.recoveryKeys?.[0] ?? ''));
    assertAccepted(await answer(rig, {}, second.recoveryKeys?.[0] ?? ''));
  });

  it('leaves one of 16 concurrent new sets, with the keys shown last', async () => {
    const made = await Promise.all(Array.from({ length: 16 }, () => enrol(rig, recoveryRequest())));
    const { factors } = await recordOf(rig);
    assert.equal(factors.length, 1);
    const theOne = made.find(({ factor }) => factor.id === factors[0]?.id);
    assertAccepted(await answer(rig, {}, theOne?.recoveryKeys?.[0] ?? ''));
  });

  it('allows only YubiKeys and recovery keys in a realm that requires YubiKeys', async () => {
    rig.setRealms(realm({ require: ['yubikey'] }));
    await fails(rig, totpRequest({ verify: false }), 'factor-kind-not-allowed');
    await fails(rig, totpRequest({ code: current() }), 'factor-kind-not-allowed');
    await fails(rig, hotpRequest({ verify: false }), 'factor-kind-not-allowed');
    await enrol(rig, recoveryRequest());
    rig.setRealms(realm({ require: ['yubikey', 'totp'] }));
    await enrol(rig, totpRequest({ verify: false }));
  });

  it('uses the realm of the account: with an unresolved group nothing can be added', async () => {
    rig.setRealms(
      realm({ require: ['yubikey'], members: members({ groups: ['keys'] }) }),
      realm({ name: 'rest' }),
    );
    rig.accounts.add('alice', 1000, { keys: 'unresolved' });
    await fails(rig, totpRequest({ verify: false }), 'accounts-unavailable');
    rig.accounts.add('alice', 1000, { keys: 'member' });
    await fails(rig, totpRequest({ verify: false }), 'factor-kind-not-allowed');
  });

  it('stores at most 32 factors; a recovery set replaces the former one', async () => {
    const many = Array.from({ length: 31 }, (_, each) =>
      hotpFactor({
        id: `h${each}`,
        name: `token ${each}`,
        secret: Buffer.alloc(20, each + 1).toString('base64'),
      }),
    );
    await put(rig, { factors: [...many, recoveryFactor()] });
    await fails(rig, totpRequest({ verify: false }), 'too-many-factors');
    await enrol(rig, recoveryRequest());
    await put(rig, { factors: many });
    await enrol(rig, totpRequest({ verify: false }));
    await fails(rig, recoveryRequest(), 'too-many-factors');
  });

  it('stores at most 32 even if added concurrently', async () => {
    const requests = Array.from({ length: 40 }, (_, each) =>
      hotpRequest({ verify: false, secret: Buffer.alloc(20, each + 1) }),
    );
    const results = await Promise.allSettled(requests.map((request) => enrol(rig, request)));
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 32);
  });

  it('chooses unused names, and rejects duplicate ones and those that cannot be shown', async () => {
    const first = await enrol(rig, hotpRequest({ verify: false }));
    const second = await enrol(rig, hotpRequest({ verify: false, secret: Buffer.alloc(20, 9) }));
    assert.notEqual(first.factor.name, second.factor.name);
    assert.notEqual(first.factor.id, second.factor.id);
    const named = (name: string): EnrolRequest =>
      totpRequest({ verify: false, name, secret: Buffer.alloc(20, 10) });
    for (const name of ['', ' ', 'x'.repeat(65), 'a\u001b[2J', 'a\nb', 'a\u202eb', 'a\u0000'])
      await fails(rig, named(name), 'bad-name');
    for (const name of [
      first.factor.name,
      first.factor.name.toUpperCase(),
      ` ${first.factor.name} `,
      first.factor.id,
    ])
      await fails(rig, named(name), 'name-taken');
    const made = await enrol(rig, named('x'.repeat(64)));
    assert.equal(made.factor.name, 'x'.repeat(64));
  });

  it('returns nothing that helps to compute a code', async () => {
    const made = await enrol(rig, totpRequest({ code: current() }));
    const reported = JSON.stringify(made);
    for (const form of ['utf8', 'base64', 'hex'] as const)
      assert.ok(!reported.includes(newSeed().toString(form)));
  });

  it('is refused for a name without an account, and stores nothing', async () => {
    await fails(rig, totpRequest({ verify: false, user: 'nobody' }), 'no-such-account');
    rig.accounts.unavailable = 'timed out';
    await fails(rig, totpRequest({ verify: false }), 'accounts-unavailable');
    assert.equal(rig.store.commits.length, 0);
  });

  it('uses the canonical name', async () => {
    rig.accounts.alias('ALICE', 'alice');
    const made = await enrol(rig, totpRequest({ verify: false, user: 'ALICE' }));
    assert.equal(made.account, 'alice');
    assert.equal((await recordOf(rig)).factors.length, 1);
  });

  it('conflicts with a concurrent login without losing either change', async () => {
    await put(rig, { factors: [hotpFactor()] });
    rig.store.beforeNextCommit(() => put(rig, { factors: [hotpFactor({ counter: 5 })] }));
    await enrol(rig, totpRequest({ code: current() }));
    const { factors } = await recordOf(rig);
    assert.equal(factors.length, 2);
    assert.ok(factors[0]?.kind === 'hotp' && factors[0].counter === 5);
  });

  it('wipes what was typed also if the store fails', async () => {
    rig.store.breakWrites('full');
    await fails(rig, totpRequest({ code: current() }), 'store-unwritable');
    rig.store.damage('alice');
    await assert.rejects(enrol(rig, totpRequest({ code: current() })), { code: 'record-damaged' });
  });
});

describe('verify', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = makeRig(realm({ lockout: { codes: 8, any: 10, forMs: hour } }));
    await put(rig, { factors: [totpFactor(), hotpFactor(), recoveryFactor()] });
  });
  const outcome = async (text: string, previous?: string): Promise<string> => {
    const result = await verify(rig, text, previous);
    return result.outcome === 'accepted' ? `accepted ${result.factor.id}` : result.reason;
  };

  it('uses the accepted code, and names the factor', async () => {
    for (const [text, id] of [
      [codeNow(rig), 't1'],
      [press(0), 'h1'],
      [recoveryKeys[0] ?? '', 'r1'],
    ] as const) {
      assert.equal(await outcome(text), `accepted ${id}`);
      assert.notEqual(await outcome(text), `accepted ${id}`);
      assertRefused(await answer(rig, {}, text));
    }
    assert.ok(!(await eventsOf(rig)).some(({ kind, outcome }) => kind === 'login' && outcome === 'success'));
  });

  it('resynchronises an HOTP device with two consecutive codes, and not with the first', async () => {
    const first = await verify(rig, press(300));
    assert.ok(first.outcome === 'refused' && first.resync && first.reason === 'wrong');
    assert.equal((await recordOf(rig)).lock.codes, 1);
    assert.equal(await outcome(press(302), press(300)), 'wrong');
    assert.equal(await outcome(press(301), press(300)), 'accepted h1');
    assert.equal(await outcome(press(301), press(300)), 'replay');
    assertAccepted(await answer(rig, {}, press(302)));
  });

  it('does not evaluate the previous answer by itself: it allows no login, uses nothing and counts as no failure', async () => {
    const before = (await recordOf(rig)).factors;
    assert.equal(await outcome(wrongCode(rig), codeNow(rig)), 'wrong');
    assert.equal((await recordOf(rig)).lock.any, 1);
    assert.deepEqual((await recordOf(rig)).factors, before);
  });

  it('ignores disabled, removed and used-up factors', async () => {
    await put(rig, { factors: [totpFactor({ enabled: false })] });
    assert.equal(await outcome(codeNow(rig)), 'no-factor');
    await put(rig, { factors: [] });
    assert.equal(await outcome(codeNow(rig)), 'no-factor');
    await put(rig, { factors: [recoveryFactor([])] });
    assert.equal(await outcome(recoveryKeys[0] ?? ''), 'used-up');
    await put(rig, { factors: [totpFactor({ enabled: false }), recoveryFactor([])] });
    assert.equal(await outcome(recoveryKeys[0] ?? ''), 'no-factor');
    assert.deepEqual((await recordOf(rig)).lock, { codes: 0, any: 0 });
  });

  it('counts and locks like a login, and an unknown format counts as no failure', async () => {
    assert.equal(await outcome('hunter2'), 'unknown-format');
    assert.deepEqual((await recordOf(rig)).lock, { codes: 0, any: 0 });
    await put(rig, { lock: { codes: 0, any: 10, lockedAt: rig.clock.at } });
    assert.equal(await outcome(codeNow(rig)), 'locked');
    await put(rig, { lock: { codes: 8, any: 8, codesLockedAt: rig.clock.at } });
    assert.equal(await outcome(codeNow(rig)), 'codes-locked');
    assert.equal(await outcome(recoveryKeys[0] ?? ''), 'accepted r1');
    assert.deepEqual((await recordOf(rig)).lock, { codes: 0, any: 0 });
  });

  it('reports names that are not accounts, and wipes the answer nevertheless', async () => {
    rig.accounts.remove('alice');
    const before = rig.store.commits.length;
    await assert.rejects(verify(rig, codeNow(rig)), { code: 'no-such-account' });
    assert.equal(rig.store.commits.length, before);
    rig.store.damage('bob');
    const given = Buffer.from(codeNow(rig));
    await assert.rejects(rig.verifier.verify({ actor: 'uid:0', user: 'bob', answer: given }), {
      code: 'record-damaged',
    });
    assert.ok(isWiped(given));
  });

  it('decides again from fresh records on a conflicting commit', async () => {
    rig.store.beforeNextCommit(() => put(rig, { factors: [totpFactor({ enabled: false }), hotpFactor()] }));
    assert.notEqual(await outcome(codeNow(rig)), 'accepted t1');
  });
});
