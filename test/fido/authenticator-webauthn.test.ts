import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import {
  SettingsService,
  type VerifiedRegistrationResponse,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import { assertionAnswer, clientData, registrationAnswer } from '../support/authenticator/answers.ts';
import { defaultAaguid } from '../support/authenticator/credential.ts';
import {
  type Attestation,
  type Credential,
  eddsa,
  es256,
  getAssertion,
  makeCredential,
  newAttestationCertificate,
  newRoot,
  rs256,
} from '../support/authenticator/index.ts';

const rpId = 'login.example';
const origin = 'https://login.example';
const newChallenge = () => randomBytes(32).toString('base64url');

type Registration = NonNullable<VerifiedRegistrationResponse['registrationInfo']>;

async function register(
  wish: Partial<Parameters<typeof makeCredential>[0]> = {},
): Promise<{ readonly credential: Credential; readonly info: Registration }> {
  const challenge = newChallenge();
  const data = clientData('webauthn.create', challenge, origin);
  const made = makeCredential({ rpId, clientDataHash: data.hash, uv: true, ...wish });
  const { registrationInfo } = await verifyRegistrationResponse({
    response: registrationAnswer(made, data),
    expectedChallenge: challenge,
    expectedOrigin: origin,
    expectedRPID: rpId,
    requireUserVerification: wish.uv ?? true,
  });
  assert.ok(registrationInfo !== undefined, 'the registration is not verified');
  return { credential: made.credential, info: registrationInfo };
}

async function authenticate(
  { credential, info }: Awaited<ReturnType<typeof register>>,
  wish: Partial<Parameters<typeof getAssertion>[1]> = {},
) {
  const challenge = newChallenge();
  const data = clientData('webauthn.get', challenge, origin);
  const made = getAssertion(credential, { rpId, clientDataHash: data.hash, uv: true, ...wish });
  return verifyAuthenticationResponse({
    response: assertionAnswer(credential, made, data),
    expectedChallenge: challenge,
    expectedOrigin: origin,
    expectedRPID: rpId,
    credential: { ...info.credential, counter: 0 },
    requireUserVerification: wish.uv ?? true,
  });
}

describe('credentials without a key', () => {
  for (const [name, algorithm] of Object.entries({ es256, eddsa, rs256 })) {
    it(`of ${name} are verified, and so are their assertions`, async () => {
      const registered = await register({ algorithm });
      assert.equal(registered.info.fmt, 'packed');
      assert.equal(registered.info.aaguid.replaceAll('-', ''), defaultAaguid.toString('hex'));
      const { verified, authenticationInfo } = await authenticate(registered);
      assert.ok(verified);
      assert.ok(authenticationInfo.userVerified);
      assert.equal(authenticationInfo.newCounter, 1);
      assert.equal((await authenticate(registered, { counter: 4711 })).authenticationInfo.newCounter, 4711);
    });

    it(`of ${name} are rejected when the signature is of something else`, async () => {
      const registered = await register({ algorithm });
      assert.equal((await authenticate(registered, { wrongSignature: true })).verified, false);
      await assert.rejects(register({ algorithm, wrongSignature: true }), /not verified/);
    });
  }

  it('report user presence, and user verification', async () => {
    const registered = await register({ uv: false });
    assert.equal(registered.info.userVerified, false);
    assert.equal((await authenticate(registered, { uv: false })).authenticationInfo.userVerified, false);
    await assert.rejects(authenticate(registered, { up: false }), /present/i);
  });

  it('return the user of a resident one', () => {
    const data = clientData('webauthn.get', newChallenge(), origin);
    const user = { id: Buffer.from('alice') };
    const { credential } = makeCredential({ rpId, clientDataHash: data.hash, user, resident: true });
    const made = getAssertion(credential, { rpId, clientDataHash: data.hash });
    const { userHandle } = assertionAnswer(credential, made, data).response;
    assert.equal(userHandle, user.id.toString('base64url'));
  });
});

describe('attestation', () => {
  it('may be absent', async () => {
    const { info } = await register({ attestation: 'none' });
    assert.equal(info.fmt, 'none');
  });

  for (const fmt of ['packed', 'fido-u2f'] as const) {
    it(`of ${fmt} leads to its root and to no other`, async (t) => {
      t.after(() => SettingsService.setRootCertificates({ identifier: fmt, certificates: [] }));
      const trust = (certificate: Buffer) =>
        SettingsService.setRootCertificates({ identifier: fmt, certificates: [new Uint8Array(certificate)] });
      const root = newRoot('One root');
      const { certificate, privateKey } = newAttestationCertificate(
        root,
        fmt === 'packed' ? defaultAaguid : undefined,
      );
      const attestation: Attestation = { fmt, x5c: [certificate], privateKey };
      trust(root.certificate);
      const registered = await register({ attestation });
      assert.equal(registered.info.fmt, fmt);
      assert.ok((await authenticate(registered)).verified);
      await assert.rejects(register({ attestation, wrongSignature: true }), /not verified/);
      trust(newRoot('Another root').certificate);
      await assert.rejects(register({ attestation }));
    });
  }

  it('of packed compares its aaguid with the certificate', async () => {
    const { certificate, privateKey } = newAttestationCertificate(newRoot(), Buffer.alloc(16, 7));
    await assert.rejects(
      register({ attestation: { fmt: 'packed', x5c: [certificate], privateKey } }),
      /AAGUID/i,
    );
  });
});
