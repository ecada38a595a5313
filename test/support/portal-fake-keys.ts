import { randomBytes } from 'node:crypto';
import type {
  AssertionBody,
  AssertionOptions,
  AttestationBody,
  CreationOptionsView,
} from '../../daemon/api/sign-in-views.ts';
import { FakeError, type FakeFactor, type FakePerson, newFactor } from './portal-fake-people.ts';

/** Security keys as the fake portal asks and verifies them. */

/** A third of a second, for those tests alone that use a key. */
const library = () => import('@simplewebauthn/server');

const algorithms = [-7, -8, -257];

export function creationOptions(person: FakePerson, rpId: string): CreationOptionsView {
  return {
    challenge: randomBytes(32).toString('base64url'),
    rp: { id: rpId, name: 'Sallyport' },
    user: {
      id: Buffer.from(person.account).toString('base64url'),
      name: person.account,
      displayName: person.account,
    },
    pubKeyCredParams: algorithms,
    excludeCredentials: person.factors.flatMap(({ credential }) =>
      credential === undefined ? [] : [credential.id],
    ),
    residentKey: 'discouraged',
    userVerification: 'discouraged',
    attestation: 'none',
    timeout: 60_000,
  };
}

export async function registered(
  options: CreationOptionsView,
  body: AttestationBody,
  origin: string,
  name: string,
): Promise<FakeFactor> {
  const { verifyRegistrationResponse } = await library();
  const { verified, registrationInfo } = await verifyRegistrationResponse({
    response: {
      id: body.credentialId,
      rawId: body.credentialId,
      type: 'public-key',
      response: { clientDataJSON: body.clientDataJSON, attestationObject: body.attestationObject },
      clientExtensionResults: {},
    },
    expectedChallenge: options.challenge,
    expectedOrigin: origin,
    expectedRPID: options.rp.id,
    requireUserVerification: false,
    supportedAlgorithmIDs: algorithms,
  });
  if (!verified) throw new FakeError('key-refused', 422, 'the key could not be verified');
  const { id, publicKey, counter } = registrationInfo.credential;
  return newFactor('webauthn', name, {
    credential: { id, publicKey: new Uint8Array(publicKey), counter, transports: body.transports },
  });
}

/** Undefined: the person has no key that a browser could use. */
export function assertionOptions(person: FakePerson, rpId: string): AssertionOptions | undefined {
  const usable = person.factors.flatMap(({ enabled, credential }) =>
    enabled && credential !== undefined ? [credential] : [],
  );
  if (usable.length === 0) return undefined;
  const appid = usable.find(({ appId }) => appId !== undefined)?.appId;
  return {
    challenge: randomBytes(32).toString('base64url'),
    rpId,
    allowCredentials: usable.map(({ id, transports }) => ({ id, transports })),
    userVerification: 'discouraged',
    timeout: 60_000,
    ...(appid === undefined ? {} : { appid }),
  };
}

export async function signed(
  person: FakePerson,
  options: AssertionOptions,
  body: AssertionBody,
  origin: string,
): Promise<boolean> {
  const factor = person.factors.find(({ credential }) => credential?.id === body.credentialId);
  const credential = factor?.credential;
  if (credential === undefined) return false;
  const { verifyAuthenticationResponse } = await library();
  const { verified, authenticationInfo } = await verifyAuthenticationResponse({
    response: {
      id: body.credentialId,
      rawId: body.credentialId,
      type: 'public-key',
      response: body,
      clientExtensionResults: {},
    },
    expectedChallenge: options.challenge,
    expectedOrigin: origin,
    expectedRPID: credential.appId === undefined ? options.rpId : [options.rpId, credential.appId],
    requireUserVerification: false,
    credential: {
      id: credential.id,
      publicKey: credential.publicKey,
      counter: credential.counter,
    },
  }).catch(() => ({ verified: false, authenticationInfo: { newCounter: 0 } }));
  if (verified) credential.counter = authenticationInfo.newCounter;
  return verified;
}
