import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import type { Made } from '../../daemon/host/contract.ts';
import { decode } from '../support/authenticator/cbor.ts';
import { newCredential } from '../support/authenticator/credential.ts';
import { type CoseAlgorithm, eddsa, es256, rs256 } from '../support/authenticator/index.ts';
import { groupOf, KeyRing, proven, rpId, stopKeys } from '../support/fido-keys.ts';
import { compileSoftHelper, scratch } from '../support/fido-rig.ts';
import type { Variant } from '../support/native.ts';

const hashOf = (text: string) => createHash('sha256').update(text).digest();
const credentialFor = (relyingParty: string, algorithm: CoseAlgorithm = es256) =>
  newCredential({ rpIdHash: hashOf(relyingParty), algorithm });

/** What WebAuthn calls an attestation object, in parts. */
function opened({ attestationObject }: Made) {
  const map = decode(attestationObject);
  assert.ok(map instanceof Map);
  assert.deepEqual([...map.keys()], ['fmt', 'attStmt', 'authData']);
  const data = map.get('authData');
  assert.ok(data instanceof Uint8Array);
  const authData = Buffer.from(data);
  const idLength = authData.readUInt16BE(53);
  return {
    fmt: map.get('fmt'),
    statement: map.get('attStmt'),
    rpIdHash: authData.subarray(0, 32),
    flags: authData.readUInt8(32),
    id: authData.subarray(55, 55 + idLength),
    key: decode(authData.subarray(55 + idLength)),
  };
}

for (const variant of ['plain', 'asan'] satisfies Variant[]) {
  const directory = scratch(`fido-ceremony-${variant}`);
  let program = '';
  const ring = () => new KeyRing(program, directory.path);

  describe(`one key and a touch, ${variant}`, { concurrency: 4 }, () => {
    before(async () => {
      program = await compileSoftHelper(variant);
    });
    after(async () => {
      await stopKeys();
      directory.remove();
    });

    for (const [name, cose] of [
      ['es256', es256],
      ['eddsa', eddsa],
      ['rs256', rs256],
    ] as const) {
      it(`creates a credential and signs with it: ${name}`, async () => {
        const keys = ring();
        const key = await keys.key({ algorithms: [cose] });
        const enrolment = keys.make({ algorithms: ['eddsa', 'es256', 'rs256'] });
        await enrolment.said('touch');
        await key.blinks();
        key.touch();
        const made = await enrolment.outcome;
        assert.equal(made.kind, 'made', JSON.stringify(made));
        if (made.kind !== 'made') return;
        const { fmt, rpIdHash, flags, id, key: cosePublicKey } = opened(made);
        assert.equal(fmt, 'packed');
        assert.deepEqual(rpIdHash, hashOf(rpId));
        assert.equal(flags & 0x45, 0x41);
        assert.deepEqual(id, made.credentialId);
        assert.ok(cosePublicKey instanceof Map && cosePublicKey.get(3) === cose);
        assert.deepEqual(enrolment.events, [{ kind: 'keys', count: 1 }, { kind: 'touch' }]);

        const [credential] = key.credentials;
        assert.ok(credential);
        const login = keys.assert({ groups: groupOf(credential) });
        await key.blinks();
        key.touch();
        const asserted = await login.outcome;
        assert.equal(asserted.kind, 'asserted', JSON.stringify(asserted));
        if (asserted.kind !== 'asserted') return;
        assert.deepEqual(asserted.credentialId, credential.id);
        assert.deepEqual(proven(credential, login.request.clientDataHash, asserted), {
          good: true,
          up: true,
          uv: false,
        });
        await keys.stop();
      });
    }

    it('uses the best algorithm of the key', async () => {
      const keys = ring();
      const key = await keys.key({ algorithms: [es256, eddsa], autoTouch: true });
      assert.equal((await keys.make({ algorithms: ['rs256', 'eddsa', 'es256'] }).outcome).kind, 'made');
      assert.equal(key.credentials[0]?.algorithm, eddsa);
      await keys.stop();
    });

    it('asks a key that does not report its algorithms', async () => {
      const keys = ring();
      const key = await keys.key({ version: '2.0', autoTouch: true });
      assert.equal((await keys.make({ algorithms: ['eddsa', 'es256'] }).outcome).kind, 'made');
      assert.equal(key.credentials[0]?.algorithm, es256);
      await keys.stop();
    });

    it('finds the one credential among many, and asks without a touch over nothing of the daemon', async () => {
      const keys = ring();
      const key = await keys.key();
      const mine = credentialFor('pam://old.example.org');
      key.credentials = [mine];
      const others = Array.from({ length: 40 }, () => credentialFor(rpId));
      const groups = [
        ...groupOf(...others),
        { rpId: 'pam://old.example.org', credentialIds: [credentialFor('x').id, mine.id] },
      ];
      const login = keys.assert({ groups });
      await key.blinks();
      key.touch();
      const asserted = await login.outcome;
      assert.ok(asserted.kind === 'asserted' && asserted.credentialId.equals(mine.id));
      assert.ok(proven(mine, login.request.clientDataHash, asserted).good);
      for (const { command, options, clientDataHash } of key.requests) {
        if (command !== 'getAssertion' || options?.up === true) continue;
        assert.deepEqual(clientDataHash, Buffer.alloc(32));
      }
      await keys.stop();
    });

    it('creates a resident credential', async () => {
      const keys = ring();
      const key = await keys.key({ autoTouch: true });
      assert.equal((await keys.make({ resident: true }).outcome).kind, 'made');
      assert.equal(key.credentials[0]?.resident, true);
      await keys.stop();
    });

    const refusals = [
      [
        'of the wrong key',
        {},
        (keys: KeyRing) => keys.assert({ groups: groupOf(credentialFor(rpId)) }),
        'wrong-key',
      ],
      [
        'of an algorithm that the key has not',
        {},
        (keys: KeyRing) => keys.make({ algorithms: ['rs256'] }),
        'unsupported',
      ],
      [
        'of a resident credential where there are none',
        { residentKeys: false },
        (keys: KeyRing) => keys.make({ resident: true }),
        'unsupported',
      ],
      [
        'of a resident credential in a token of U2F',
        { kind: 'u2f' },
        (keys: KeyRing) => keys.make({ resident: true }),
        'unsupported',
      ],
      [
        'of one more resident credential',
        { residentRoom: 0 },
        (keys: KeyRing) => keys.make({ resident: true }),
        'key-full',
      ],
      [
        'without PIN and finger',
        {},
        (keys: KeyRing) => keys.make({ userVerification: 'required' }),
        'no-pin',
      ],
      [
        'in a token of U2F, verified',
        { kind: 'u2f' },
        (keys: KeyRing) => keys.make({ userVerification: 'required' }),
        'no-pin',
      ],
    ] as const;
    for (const [what, options, ask, reason] of refusals) {
      it(`refuses at the touch, and not before: ${what}`, async () => {
        const keys = ring();
        const key = await keys.key(options);
        const call = ask(keys);
        await call.said('touch');
        await key.blinks();
        key.touch();
        const outcome = await call.outcome;
        assert.equal(outcome.kind === 'failed' && outcome.reason, reason, JSON.stringify(outcome));
        await keys.stop();
      });
    }

    for (const kind of ['fido2', 'u2f'] as const) {
      it(`creates no second credential for an account: ${kind}`, async () => {
        const keys = ring();
        const key = await keys.key({ kind });
        const held = credentialFor(rpId);
        key.credentials = [held];
        const call = keys.make({ exclude: [credentialFor(rpId).id, held.id] });
        await key.blinks();
        key.touch();
        const outcome = await call.outcome;
        assert.equal(outcome.kind === 'failed' && outcome.reason, 'excluded');
        await keys.stop();
      });
    }

    it('enrols a U2F device, and uses it', async () => {
      const keys = ring();
      const key = await keys.key({ kind: 'u2f' });
      const enrolment = keys.make({ userVerification: 'preferred' });
      await key.blinks();
      key.touch();
      const made = await enrolment.outcome;
      assert.equal(made.kind, 'made', JSON.stringify(made));
      if (made.kind !== 'made') return;
      const { fmt, statement } = opened(made);
      assert.equal(fmt, 'fido-u2f');
      assert.ok(statement instanceof Map);
      assert.deepEqual([...statement.keys()], ['sig', 'x5c']);
      const credential = key.credentials.find(({ id }) => id.equals(made.credentialId));
      assert.ok(credential);

      const login = keys.assert({ groups: groupOf(credential), userVerification: 'preferred' });
      await key.blinks();
      key.touch();
      const asserted = await login.outcome;
      assert.equal(asserted.kind, 'asserted', JSON.stringify(asserted));
      if (asserted.kind !== 'asserted') return;
      assert.ok(proven(credential, login.request.clientDataHash, asserted).good);
      await keys.stop();
    });

    it('sends a device the credentials of an AppID, ids that it must include', async () => {
      const keys = ring();
      const key = await keys.key({ kind: 'u2f', autoTouch: true });
      const appId = 'https://login.example.org/app-id.json';
      const mine = credentialFor(appId);
      key.credentials = [mine];
      const login = keys.assert({
        groups: [{ rpId: appId, credentialIds: [Buffer.alloc(300, 1), Buffer.alloc(1, 1), mine.id] }],
      });
      const asserted = await login.outcome;
      assert.ok(asserted.kind === 'asserted', JSON.stringify(asserted));
      assert.ok(proven(mine, login.request.clientDataHash, asserted).good);
      await keys.stop();
    });

    it('lists plugged-in keys', async () => {
      const keys = ring();
      await keys.key();
      await keys.key({ kind: 'u2f' });
      await keys.key({ plugged: false });
      const found = await keys.helper.list();
      assert.deepEqual(found.map(({ fido2 }) => fido2).sort(), [false, true]);
      for (const { name } of found) assert.match(name, /^Soft key-/);
      await keys.stop();
    });

    it('lists no control characters, whatever a key is called', async () => {
      const keys = ring();
      await keys.key({ label: 'a\u001b[1m\nb\u009b\u007fc Ключ 🔑' });
      const [found] = await keys.helper.list();
      assert.match(found?.name ?? '', /^Soft a\?\[1m\?b\?\?\?c Ключ 🔑-/);
      await keys.stop();
    });
  });
}
