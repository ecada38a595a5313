import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { createAssertions } from '../../../daemon/authenticators/assertions.ts';
import type { Realm } from '../../../daemon/config/contract.ts';
import type { Assertion } from '../../../daemon/factors/contract.ts';
import { createLog } from '../../../daemon/lib/log.ts';
import type { LoginFacts } from '../../../daemon/policy/contract.ts';
import type { CredentialRecord } from '../../support/credential.ts';
import { keyOf } from '../../support/credential.ts';
import { askedHere, keyRig, openHere, touched } from '../../support/key-login.ts';
import {
  type Asked,
  assertionBy,
  legacyKey,
  origin,
  publicKeyOf,
  rpId,
  type SoftKey,
  softKey,
} from '../../support/soft-keys.ts';
import {
  answered,
  assertAccepted,
  assertRefused,
  codeNow,
  eventsOf,
  factorOf,
  put,
  type Rig,
  recordOf,
  recoveryFactor,
  totpFactor,
  wrongCode,
} from '../../support/verifier-rig.ts';
import { disabled, facts, onTerminal, overUserSocket, realm, remember, rule } from '../policy/support.ts';

let rig: Rig;
let key: SoftKey;
beforeEach(async () => {
  rig = keyRig();
  key = softKey();
  await put(rig, { factors: [key.record] });
});

const lastEvent = async () => (await eventsOf(rig)).at(-1);
const counterOf = async (id = 'w1') => {
  const factor = await factorOf(rig, id);
  return 'counter' in factor ? [factor.counter, 'spent' in factor && factor.spent.length] : undefined;
};
const wanting = (webauthn: Partial<Realm['webauthn']>, part: Partial<Realm> = {}) =>
  realm({ webauthn: { userVerification: 'discouraged', residentKey: false, ...webauthn }, ...part });

/** A refused touch counts only towards the full lockout, and the audit trail has the reason. */
async function assertWrong(assertion: Assertion, reason = 'wrong'): Promise<void> {
  const before = await recordOf(rig);
  const refusal = assertRefused(await touched(rig, assertion));
  assert.deepEqual([refusal.result, refusal.again], ['auth-err', true]);
  const { lock, factors } = await recordOf(rig);
  assert.deepEqual(lock, { codes: 0, any: before.lock.any + 1 });
  assert.deepEqual(factors, before.factors, 'nothing of the record moved');
  const event = await lastEvent();
  assert.deepEqual([event?.kind, event?.outcome, event?.reason], ['login', 'refused', reason]);
}

describe('an assertion of a security key', () => {
  for (const algorithm of ['es256', 'eddsa', 'rs256'] as const)
    it(`with ${algorithm} is accepted, in one commit that contains everything`, async () => {
      key = softKey({}, algorithm);
      await put(rig, { factors: [key.record, totpFactor()], lock: { codes: 3, any: 5 } });
      rig.store.commits.length = 0;
      const verdict = assertAccepted(await touched(rig, assertionBy(key)));
      assert.deepEqual([verdict.strip, verdict.text], [0, undefined]);
      assert.equal(rig.store.commits.length, 1);
      assert.deepEqual(await counterOf(), [1, 1]);
      const { lock, lastLogin } = await recordOf(rig);
      assert.deepEqual(lock, { codes: 0, any: 0 });
      assert.deepEqual(lastLogin, { at: rig.clock.at, service: 'sudo' });
      const event = await lastEvent();
      assert.deepEqual([event?.outcome, event?.reason], ['success', 'verified']);
      assert.deepEqual(event?.factor, { id: 'w1', kind: 'webauthn', name: 'blue key' });
      assert.equal((await factorOf(rig, 'w1')).lastUsed, rig.clock.at);
      assert.equal((await factorOf(rig, 't1')).lastUsed, undefined);
    });

  it('is accepted repeatedly, each time for another challenge', async () => {
    for (let use = 1; use <= 20; use += 1) {
      assertAccepted(await touched(rig, assertionBy(key)));
      assert.deepEqual(await counterOf(), [use, Math.min(use, 16)]);
    }
  });

  it('of one of several keys: the touched one is recorded', async () => {
    const green = softKey({ id: 'w2', name: 'green key' });
    await put(rig, { factors: [key.record, green.record] });
    assertAccepted(await touched(rig, assertionBy(green)));
    assert.deepEqual((await lastEvent())?.factor?.id, 'w2');
    assert.deepEqual(
      [await counterOf('w1'), await counterOf('w2')],
      [
        [0, 0],
        [1, 1],
      ],
    );
  });

  it('of a key created for pam_u2f or by U2F is accepted too', async () => {
    for (const appId of ['pam://host', 'https://login.example.org', 'pam://host.example']) {
      const old = legacyKey(appId);
      await put(rig, { factors: [old.record] });
      assertAccepted(await touched(rig, assertionBy(old)));
      assert.equal((await lastEvent())?.factor?.kind, 'u2f');
      const other = { ...old, record: { ...old.record, appId: 'pam://other' } };
      assert.equal((await touched(rig, assertionBy(old, { rpId: 'pam://other' }))).kind, 'refused');
      assert.equal(
        (await touched(rig, assertionBy(other, { rpId: appId }))).kind,
        'accepted',
        'the record counts',
      );
    }
  });
});

describe('a refused assertion', () => {
  const rows: [string, Asked][] = [
    ['a wrong signature', { wrongSignature: true }],
    ['another challenge in it', { said: { challenge: 'AAAA' } }],
    ['another origin in it', { said: { origin: `https://${rpId}` } }],
    ['an origin that only begins like ours', { said: { origin: `${origin}.evil.example` } }],
    ['another relying party', { rpId: 'example.org' }],
    ['nobody present', { up: false }],
    ['nobody present, though verified', { up: false, uv: true }],
    ['the type of a registration', { type: 'webauthn.create' }],
  ];
  for (const [what, asked] of rows) it(`has ${what}`, () => assertWrong(assertionBy(key, asked)));

  const spoilt: [string, (assertion: Assertion) => Partial<Assertion>][] = [
    ['a signature that is no DER', () => ({ signature: Buffer.from('not DER at all') })],
    ['a signature of nothing', () => ({ signature: Buffer.alloc(0) })],
    ['a signature that is cut off', ({ signature }) => ({ signature: signature.subarray(0, 40) })],
    ['r = s = 0', () => ({ signature: Buffer.from('3006020100020100', 'hex') })],
    [
      'short authenticatorData',
      ({ authenticatorData: data }) => ({ authenticatorData: data.subarray(0, 36) }),
    ],
    ['no authenticatorData', () => ({ authenticatorData: Buffer.alloc(0) })],
    [
      'bytes behind authenticatorData',
      ({ authenticatorData: data }) => ({ authenticatorData: Buffer.concat([data, data]) }),
    ],
    ['clientDataJSON that is no JSON', () => ({ clientDataJSON: Buffer.from('{') })],
    ['clientDataJSON that is null', () => ({ clientDataJSON: Buffer.from('null') })],
    [
      'another counter than was signed',
      ({ authenticatorData }) => {
        const data = Buffer.from(authenticatorData);
        data.writeUInt32BE(4_000_000_000, 33);
        return { authenticatorData: data };
      },
    ],
    [
      'a flag that was not signed',
      ({ authenticatorData }) => {
        const data = Buffer.from(authenticatorData);
        data.writeUInt8(data.readUInt8(32) | 4, 32);
        return { authenticatorData: data };
      },
    ],
  ];
  for (const [what, change] of spoilt)
    it(`has ${what}`, async () => {
      const assertion = assertionBy(key);
      await assertWrong({ ...assertion, ...change(assertion) });
    });

  it("of another account's key has no format here, and counts as no failure", async () => {
    const bobs = softKey({ id: 'w9' });
    await put(rig, { account: 'bob', factors: [bobs.record] });
    const refusal = assertRefused(await touched(rig, assertionBy(bobs)));
    assert.equal(refusal.again, false);
    assert.deepEqual((await recordOf(rig)).lock, { codes: 0, any: 0 });
    assert.equal((await lastEvent())?.reason, 'unknown-format');
    assert.deepEqual((await recordOf(rig, 'bob')).factors, [bobs.record]);
  });

  it('has the id of our credential over the signature of another key', async () => {
    const thief = softKey();
    await assertWrong({ ...assertionBy(thief), credentialId: key.record.credentialId });
  });

  it('is by a key that was removed before it is verified', async () => {
    const other = softKey();
    const assertion = assertionBy(key);
    const swapped = { ...key.record, publicKey: publicKeyOf(other.credential) };
    const account = rig.store.account.bind(rig.store);
    let reads = 0;
    rig.store.account = async (name) => {
      reads += 1;
      // Opening reads once; the first read for the answer is the second: what is checked is stale by the third.
      if (reads === 3) {
        rig.store.account = account;
        await put(rig, { factors: [swapped] });
      }
      return account(name);
    };
    assertRefused(await touched(rig, assertion));
    assert.equal(reads, 3);
    assert.deepEqual((await recordOf(rig)).lock, { codes: 0, any: 1 });
    assert.deepEqual((await recordOf(rig)).factors, [swapped]);
    assert.equal((await lastEvent())?.reason, 'wrong');
  });
});

describe('the counter', () => {
  for (const [before, said] of [
    [7, 7],
    [7, 6],
    [7, 0],
    [4_294_967_295, 1],
  ] as const)
    it(`that goes from ${before} to ${said} is refused, and the audit trail warns of a clone`, async () => {
      await put(rig, { factors: [{ ...key.record, counter: before }] });
      await assertWrong(assertionBy(key, { counter: said }), 'counter');
      assert.match(
        assertRefused(await touched(rig, assertionBy(key, { counter: said }))).text ?? '',
        /cloned/,
      );
      if (before === 7) assertAccepted(await touched(rig, assertionBy(key, { counter: 8 })));
    });

  it('raises no alarm under a forged signature', async () => {
    await put(rig, { factors: [{ ...key.record, counter: 7 }] });
    await assertWrong(assertionBy(key, { counter: 1, wrongSignature: true }), 'wrong');
  });

  it('of a key without a counter may stay at zero', async () => {
    for (let use = 0; use < 3; use += 1) assertAccepted(await touched(rig, assertionBy(key, { counter: 0 })));
    assert.deepEqual(await counterOf(), [0, 3]);
  });
});

describe('requirements of the realm for security keys', () => {
  it('user verification: the signed flag counts', async () => {
    rig.setRealms(wanting({ userVerification: 'required' }));
    await assertWrong(assertionBy(key));
    assertAccepted(await touched(rig, assertionBy(key, { uv: true })));
    rig.setRealms(wanting({ userVerification: 'preferred' }));
    assertAccepted(await touched(rig, assertionBy(key)));
    const old = legacyKey('pam://host', { verified: true });
    await put(rig, { factors: [old.record], lock: { codes: 0, any: 0 } });
    await assertWrong(assertionBy(old));
    assertAccepted(await touched(rig, assertionBy(old, { uv: true })));
  });

  it('only a credential of the configured relying party is accepted', async () => {
    const login = await askedHere(rig);
    for (const party of [{ rpId: 'other.example', rpName: 'Other' }, undefined]) {
      rig.relyingParty = party;
      const opening = await openHere(rig);
      assert.ok(opening.kind === 'done' && opening.result === 'auth-err');
      assert.equal((await lastEvent())?.reason, 'no-accepted-factor');
      assertRefused(await rig.verifier.answer(login, assertionBy(key)));
    }
    await put(rig, { factors: [key.record, totpFactor()] });
    const opening = await openHere(rig);
    assert.ok(opening.kind === 'ask' && opening.key === undefined);
    assert.equal(assertRefused(await touched(rig, assertionBy(key))).again, false);
    assert.equal((await lastEvent())?.reason, 'unknown-format');
  });

  it('only an allowed and attested model is accepted', async () => {
    const aaguids = [key.record.aaguid];
    const models = { aaguids, metadataFile: '/nowhere' };
    rig.setRealms(wanting({ models }));
    const refused = async () => {
      const opening = await openHere(rig);
      return opening.kind === 'done' && opening.result === 'auth-err';
    };
    assert.ok(await refused(), 'not attested');
    await put(rig, { factors: [{ ...key.record, attested: true }] });
    assertAccepted(await touched(rig, assertionBy(key)));
    rig.setRealms(wanting({ models: { ...models, aaguids: ['00000000-0000-0000-0000-000000000001'] } }));
    assert.ok(await refused(), 'not in the list');
    rig.setRealms(wanting({ models }));
    await put(rig, { factors: [legacyKey('pam://host').record] });
    assert.ok(await refused(), 'U2F never said which model it is');
  });

  it('a disabled key is not accepted, and gets no challenge', async () => {
    await put(rig, { factors: [disabled(key.record), totpFactor()] });
    const opening = await openHere(rig);
    assert.ok(opening.kind === 'ask' && opening.key === undefined);
    assert.equal((await touched(rig, assertionBy(key))).kind, 'refused');
    assert.deepEqual((await recordOf(rig)).lock, { codes: 0, any: 0 });
    await put(rig, { factors: [disabled(key.record)] });
    const alone = await openHere(rig);
    assert.ok(alone.kind === 'done' && alone.result === 'auth-err');
  });

  it('a grant is issued for a key as for a code', async () => {
    rig.setRealms(realm({ rules: [rule(remember, { services: ['sudo'] })] }));
    assertAccepted(await touched(rig, assertionBy(key)));
    assert.equal((await recordOf(rig)).grants.length, 1);
    const opening = await openHere(rig);
    assert.ok(opening.kind === 'done' && opening.result === 'ignore');
  });
});

describe('security keys and lockouts', () => {
  it('a full lockout refuses it, and counts nothing', async () => {
    const login = await askedHere(rig);
    const lock = { codes: 0, any: 100, lockedAt: rig.clock.at };
    await put(rig, { lock });
    const refusal = assertRefused(await rig.verifier.answer(login, assertionBy(key)));
    assert.deepEqual([refusal.result, refusal.again], ['maxtries', false]);
    assert.deepEqual((await recordOf(rig)).lock, lock);
    assert.deepEqual(await counterOf(), [0, 0]);
  });

  it('wrong assertions lead to one', async () => {
    const { lockout } = realm();
    await put(rig, { lock: { codes: 0, any: lockout.any - 1 } });
    assert.equal(
      assertRefused(await touched(rig, assertionBy(key, { wrongSignature: true }))).result,
      'maxtries',
    );
    assert.equal((await recordOf(rig)).lock.lockedAt, rig.clock.at);
  });

  it('a lockout of codes does not affect it, and it does not clear that', async () => {
    const lock = { codes: 8, any: 8, codesLockedAt: rig.clock.at };
    await put(rig, { factors: [key.record, totpFactor()], lock });
    assertRefused(await answered(rig, await askedHere(rig), codeNow(rig)));
    assertAccepted(await touched(rig, assertionBy(key)));
    assert.deepEqual((await recordOf(rig)).lock, { codes: 0, any: 0, codesLockedAt: rig.clock.at });
    assertRefused(await answered(rig, await askedHere(rig), codeNow(rig)));
  });

  it('the wrong code that locks codes does not end a call in which a key may still answer', async () => {
    const { lockout } = realm();
    await put(rig, { factors: [key.record, totpFactor()], lock: { codes: lockout.codes - 1, any: 7 } });
    const refusal = assertRefused(await answered(rig, await askedHere(rig), wrongCode(rig)));
    assert.deepEqual([refusal.result, refusal.again], ['auth-err', true]);
    const typed = assertRefused(await answered(rig, refusal.login, codeNow(rig)));
    assert.equal(typed.again, true);
    assertAccepted(await rig.verifier.answer(typed.login, assertionBy(key)));
  });
});

describe('where an assertion is not an answer', () => {
  const elsewhere: [string, LoginFacts][] = [
    ['over ssh', facts()],
    ['in a session that is not local', onTerminal({ local: false })],
    ['behind the password', onTerminal({ local: true, mode: 'password-and-code' })],
  ];
  for (const [where, login] of elsewhere)
    it(`${where}: it has no format, and counts as no failure`, async () => {
      await put(rig, { factors: [key.record, recoveryFactor()] });
      const opening = await rig.verifier.open(login);
      assert.ok(opening.kind === 'ask' && opening.key === undefined);
      assertRefused(await rig.verifier.answer(opening.login, assertionBy(key)));
      assert.equal((await lastEvent())?.reason, 'unknown-format');
      assert.deepEqual((await recordOf(rig)).lock, { codes: 0, any: 0 });
    });

  const unverified = [
    onTerminal({ local: true, firstFactorVerified: false }),
    onTerminal({ local: true, ...overUserSocket }),
  ];
  for (const login of unverified)
    it(`an unverified login (${login.rootSocket ? 'pam.sock' : 'pam-user.sock'}) verifies none`, async () => {
      const opening = await rig.verifier.open(login);
      assert.ok(opening.kind === 'ask' && opening.key === undefined);
      const refusal = assertRefused(await rig.verifier.answer(opening.login, assertionBy(key)));
      assert.deepEqual([refusal.result, refusal.again, refusal.text], ['auth-err', false, undefined]);
      assert.deepEqual(await recordOf(rig), {
        ...(await recordOf(rig)),
        lock: { codes: 0, any: 0 },
        factors: [key.record],
      });
    });
});

it('an unverified login records nothing for an assertion, and uses up no attempt', async () => {
  await put(rig, { factors: [key.record, totpFactor()] });
  const login = onTerminal({ local: true, firstFactorVerified: false });
  for (let tries = 0; tries < 50; tries += 1) {
    const opening = await rig.verifier.open(login);
    assert.ok(opening.kind === 'ask');
    assertRefused(await rig.verifier.answer(opening.login, assertionBy(key)));
  }
  assert.deepEqual([await eventsOf(rig), rig.rateLimited], [[], []]);
  assertAccepted(await answered(rig, await askedHere(rig, { firstFactorVerified: false }), codeNow(rig)));
});

describe('the verification result of an assertion', () => {
  it('applies only to that object and to the key of that record', async () => {
    const assertions = createAssertions(createLog(() => undefined, false));
    const assertion = assertionBy(key, { uv: true });
    const first = await assertions.of(assertion, [totpFactor(), key.record]);
    assert.equal(first.waited, true);
    assert.deepEqual(first.signed?.(assertion, keyOf(key.record)), { counter: 1, userVerified: true });
    assert.equal(first.signed?.({ ...assertion }, keyOf(key.record)), undefined);
    assert.equal(first.signed?.(assertion, keyOf({ ...key.record, publicKey: 'AAAA' })), undefined);
    assert.equal(first.signed?.(assertion, keyOf({ ...key.record, rpId: 'other.example' })), undefined);
    assert.equal(first.signed?.(assertion, keyOf({ ...key.record, credentialId: 'AAAA' })), undefined);
    const again = await assertions.of(assertion, []);
    assert.deepEqual([again.waited, again.signed === first.signed], [false, true]);
    assert.deepEqual(await assertions.of({ ...assertion }, [totpFactor()]), { waited: false });
  });
});

it('what is offered is what may answer, and how', async () => {
  const old = legacyKey('pam://host');
  const green = softKey({ id: 'w2', name: 'green' });
  const off: CredentialRecord = disabled(softKey({ id: 'w3', name: 'off' }).record);
  await put(rig, { factors: [key.record, old.record, green.record, off, totpFactor()] });
  rig.plugged = true;
  const opening = await openHere(rig);
  assert.ok(opening.kind === 'ask');
  assert.deepEqual(opening.key, {
    question: {
      groups: [
        { rpId, credentialIds: [key.record.credentialId, green.record.credentialId] },
        { rpId: 'pam://host', credentialIds: [old.record.credentialId] },
      ],
      userVerification: 'discouraged',
    },
    place: 'here',
    plugged: true,
    typed: 'verification code',
  });
});
