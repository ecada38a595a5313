import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Assertion } from '../../../daemon/factors/contract.ts';
import { askedHere, keyRig, touched } from '../../support/key-login.ts';
import { assertionBy, type SoftKey, softKey } from '../../support/soft-keys.ts';
import {
  assertAccepted,
  assertRefused,
  eventsOf,
  isAccepted,
  put,
  type Rig,
  recordOf,
  totpFactor,
} from '../../support/verifier-rig.ts';
import { disabled, realm, rule } from '../policy/support.ts';

/** Single use: an assertion of a security key is accepted at most once. */

let rig: Rig;
let key: SoftKey;
beforeEach(async () => {
  // No account must be locked by these tests.
  rig = keyRig(realm({ lockout: { codes: 1_000, any: 1_000, forMs: 3_600_000 } }));
  key = softKey();
  await put(rig, { factors: [key.record] });
});

const copyOf = (assertion: Assertion): Assertion => ({ ...assertion });

describe('one assertion, 64 times at once', () => {
  const ways: [string, (assertion: Assertion) => Assertion][] = [
    ['as one and the same object', (assertion) => assertion],
    ['as copies of it', copyOf],
  ];
  for (const [how, each] of ways)
    for (const counter of [1, 0])
      it(`${how}, ${counter === 0 ? 'of a key without a counter, ' : ''}over two verifiers, is accepted once`, async () => {
        rig.store.unsteady = true;
        const verifiers = [rig.verifier, rig.anotherVerifier()] as const;
        const assertion = assertionBy(key, { counter });
        const verdicts = await Promise.all(
          Array.from({ length: 64 }, (_, index) =>
            touched(rig, each(assertion), {}, verifiers[index % 2 === 0 ? 0 : 1]),
          ),
        );
        assert.equal(verdicts.filter(isAccepted).length, 1);
        const events = (await eventsOf(rig)).filter(({ kind }) => kind === 'login');
        assert.equal(events.filter(({ outcome }) => outcome === 'success').length, 1);
        const reasons = events.filter(({ outcome }) => outcome === 'refused').map(({ reason }) => reason);
        assert.deepEqual([reasons.length, new Set(reasons)], [63, new Set(['replay'])]);
      });
});

describe('an accepted assertion', () => {
  it('is refused from then on, by this verifier, another, and after a restart', async () => {
    const assertion = assertionBy(key, { counter: 0 });
    const login = await askedHere(rig);
    assertAccepted(await rig.verifier.answer(login, assertion));
    for (const verifier of [rig.verifier, rig.anotherVerifier(), rig.anotherVerifier()]) {
      assertRefused(await verifier.answer(login, assertion));
      assertRefused(await touched(rig, copyOf(assertion), {}, verifier));
      assert.equal((await eventsOf(rig)).at(-1)?.reason, 'replay');
    }
  });

  it('is refused though a later one has a higher counter, and vice versa', async () => {
    const [first, second] = [assertionBy(key), assertionBy(key)];
    assertAccepted(await touched(rig, second));
    assertRefused(await touched(rig, first));
    assert.equal((await eventsOf(rig)).at(-1)?.reason, 'counter');
    assertRefused(await touched(rig, second));
    assertAccepted(await touched(rig, assertionBy(key)));
  });

  it('is reported only once its commit is durable', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let reached = false;
    rig.store.beforeNextCommit(async () => {
      reached = true;
      await held;
    });
    let said = false;
    const verdict = touched(rig, assertionBy(key)).then((value) => {
      said = true;
      return value;
    });
    while (!reached) await new Promise((resolve) => setImmediate(resolve));
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(said, false);
    release();
    assertAccepted(await verdict);
  });
});

describe('a commit that conflicts is decided again', () => {
  const meanwhile = async (change: () => Promise<void>): Promise<void> => {
    const login = await askedHere(rig);
    rig.store.beforeNextCommit(change);
    assertRefused(await rig.verifier.answer(login, assertionBy(key)));
    const events = (await eventsOf(rig)).filter(({ outcome }) => outcome === 'success');
    assert.deepEqual(events, []);
  };

  it('the key was disabled', () => meanwhile(() => put(rig, { factors: [disabled(key.record)] })));
  it('the key was removed', () => meanwhile(() => put(rig, { factors: [totpFactor()] })));
  it('everything was locked', () =>
    meanwhile(() => put(rig, { lock: { codes: 0, any: 1_000, lockedAt: rig.clock.at } })));
  it('the counter increased', () =>
    meanwhile(() => put(rig, { factors: [{ ...key.record, counter: 900 }] })));
  it('a rule that refuses was added', () =>
    meanwhile(async () => {
      rig.setRealms(realm({ rules: [rule({ kind: 'refuse' })] }));
      await put(rig, {});
    }));
  it('the realm now requires user verification', () =>
    meanwhile(async () => {
      rig.setRealms(realm({ webauthn: { userVerification: 'required', residentKey: false } }));
      await put(rig, {});
    }));
  it('the relying party changed', () =>
    meanwhile(async () => {
      rig.relyingParty = { rpId: 'other.example', rpName: 'Other' };
      await put(rig, {});
    }));

  it('and without any change the login is allowed after all', async () => {
    const login = await askedHere(rig);
    rig.store.beforeNextCommit(() => put(rig, { lock: { codes: 1, any: 1 } }));
    assertAccepted(await rig.verifier.answer(login, assertionBy(key)));
    assert.deepEqual((await recordOf(rig)).lock, { codes: 0, any: 0 });
  });
});

describe('a store that cannot be written', () => {
  it('turns a correct answer into an error, and accepts nothing', async () => {
    const login = await askedHere(rig);
    rig.store.breakWrites('no space left');
    const assertion = assertionBy(key);
    await assert.rejects(rig.verifier.answer(login, assertion), { code: 'store-unwritable' });
    await assert.rejects(rig.verifier.answer(login, assertionBy(key, { wrongSignature: true })), {
      code: 'store-unwritable',
    });
    rig.store.breakWrites(undefined);
    assert.equal((await eventsOf(rig)).length, 0);
    assert.deepEqual((await recordOf(rig)).factors, [key.record]);
  });

  it('may have stored the commit whose sync failed: the assertion is used', async () => {
    const login = await askedHere(rig);
    const commit = rig.store.commit.bind(rig.store);
    rig.store.commit = async (change) => {
      await commit(change);
      rig.store.breakWrites('I/O error');
      return commit(change);
    };
    const assertion = assertionBy(key, { counter: 0 });
    await assert.rejects(rig.verifier.answer(login, assertion), { code: 'store-unwritable' });
    rig.store.commit = commit;
    rig.store.breakWrites(undefined);
    assertRefused(await touched(rig, assertion));
  });
});
