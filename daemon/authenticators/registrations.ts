import type { MetadataStatement } from '@simplewebauthn/server';
import type { AllowedModels, RelyingParty } from '../config/contract.ts';
import type { Registered, Registration } from '../factors/answer.ts';
import type { KeyAlgorithm, UserVerification } from '../factors/contract.ts';
import { createAccountMutex } from '../lib/account-mutex.ts';
import { messageOf, SallyportError } from '../lib/errors.ts';
import { readMetadata } from './metadata.ts';

/** What the realm requires of new credentials. */
export interface Wanted {
  readonly userVerification: UserVerification;
  readonly residentKey: boolean;
  readonly models?: AllowedModels;
}

/** COSE algorithms that are accepted, in order of preference. */
export const keyAlgorithms: readonly KeyAlgorithm[] = ['es256', 'eddsa', 'rs256'];
const coseIds: Readonly<Record<KeyAlgorithm, number>> = { es256: -7, eddsa: -8, rs256: -257 };

/** The library keeps one set of metadata for the whole process: its users wait for each other. */
const accountMutex = createAccountMutex();

/**
 * W3C Web Authentication Level 3, 7.1.
 *
 * Invariants:
 * - type, challenge, origin, relying party and user presence are right, or no factor is made;
 * - where the realm requires user verification, the flag in the response counts;
 * - where it allows only some models, an attestation that leads to a root of that model's own statement is
 *   required: self attestation and "none" prove nothing, and what a key claims about itself is ignored;
 * - elsewhere the attestation is ignored, so that nothing is parsed or fetched for it.
 *
 * @throws SallyportError `key-refused`, `metadata-unreadable`
 */
export async function verifyRegistration(registration: Registration, wanted: Wanted): Promise<Registered> {
  const library = await import('@simplewebauthn/server');
  const { models } = wanted;
  const statements = models === undefined ? [] : await readMetadata(models);
  const attestationObject =
    models === undefined ? await withoutAttestation(registration) : registration.attestationObject;
  const outcome = await accountMutex('metadata', async () => {
    if (models !== undefined) await useStatements(statements);
    try {
      return await library.verifyRegistrationResponse({
        response: {
          id: registration.credentialId,
          rawId: registration.credentialId,
          type: 'public-key',
          clientExtensionResults: {},
          response: {
            clientDataJSON: registration.clientDataJSON.toString('base64url'),
            attestationObject: attestationObject.toString('base64url'),
          },
        },
        expectedChallenge: registration.challenge,
        expectedOrigin: [registration.origin],
        expectedRPID: [registration.rpId],
        requireUserVerification: wanted.userVerification === 'required',
        supportedAlgorithmIDs: Object.values(coseIds),
      });
    } catch (error) {
      throw refused(messageOf(error));
    }
  });
  if (!outcome.verified) throw refused('its signature is wrong');
  const { credential, aaguid, fmt } = outcome.registrationInfo;
  if (credential.id !== registration.credentialId) throw refused('it answered for another credential');
  if (models !== undefined) await refuseModel(registration, aaguid, fmt, models);
  return {
    rpId: registration.rpId,
    credentialId: credential.id,
    publicKey: Buffer.from(credential.publicKey).toString('base64'),
    algorithm: await algorithmOf(credential.publicKey),
    counter: credential.counter,
    aaguid,
    attested: models !== undefined,
    resident: wanted.residentKey,
    transports: registration.transports,
  };
}

/** CBOR encodes its length in two bytes. */
const longestAuthData = 0xffff;

/** What a browser sends where no attestation is requested (W3C Web Authentication Level 3, 5.4.7, "none"). */
async function withoutAttestation({ attestationObject }: Registration): Promise<Buffer> {
  const { decodeAttestationObject } = await import('@simplewebauthn/server/helpers');
  let authData: unknown;
  try {
    authData = decodeAttestationObject(new Uint8Array(attestationObject)).get('authData');
  } catch (error) {
    throw refused(messageOf(error));
  }
  if (!(authData instanceof Uint8Array) || authData.length > longestAuthData)
    throw refused('its authenticatorData is malformed');
  const length = Buffer.alloc(2);
  length.writeUInt16BE(authData.length);
  return Buffer.concat([
    Buffer.from('a363666d74646e6f6e656761747453746d74a0686175746844617461', 'hex'),
    Buffer.from([0x59]),
    length,
    authData,
  ]);
}

async function useStatements(statements: readonly MetadataStatement[]): Promise<void> {
  const { MetadataService } = await import('@simplewebauthn/server');
  // No servers: nothing is fetched. Strict: a model without a statement is rejected.
  await MetadataService.initialize({
    statements: [...statements],
    mdsServers: [],
    verificationMode: 'strict',
  });
}

/** The library accepts self attestation and "none" even where a statement exists: they have no certificates. */
async function refuseModel(
  { attestationObject }: Registration,
  aaguid: string,
  fmt: string,
  { aaguids }: AllowedModels,
): Promise<void> {
  const { decodeAttestationObject } = await import('@simplewebauthn/server/helpers');
  const certificates = decodeAttestationObject(new Uint8Array(attestationObject)).get('attStmt').get('x5c');
  if (fmt !== 'packed' || certificates === undefined || certificates.length === 0)
    throw refused(`it does not prove which model it is (${fmt}), and the realm allows only some`);
  if (!aaguids.includes(aaguid))
    throw refused(`its model is ${aaguid}, which is not among the aaguids of the realm`);
}

async function algorithmOf(publicKey: Uint8Array): Promise<KeyAlgorithm> {
  const { cose, decodeCredentialPublicKey } = await import('@simplewebauthn/server/helpers');
  const id = decodeCredentialPublicKey(new Uint8Array(publicKey)).get(cose.COSEKEYS.alg);
  const found = keyAlgorithms.find((algorithm) => coseIds[algorithm] === id);
  if (found === undefined) throw refused(`its algorithm ${String(id)} is not supported`);
  return found;
}

function refused(why: string): SallyportError {
  return new SallyportError('key-refused', `the security key was not added: ${why}`);
}

/** The options for a new credential (W3C Web Authentication Level 3, 5.4). */
export interface CreationOptions {
  readonly account: string;
  readonly rp: RelyingParty;
  /** Opaque, 32 bytes, the same each time. */
  readonly userId: Buffer;
  /** Base64url; a key that holds one of them is already enrolled. */
  readonly exclude: readonly string[];
  readonly algorithms: readonly KeyAlgorithm[];
  readonly residentKey: boolean;
  readonly userVerification: UserVerification;
  /** The realm allows only some models, which have to prove themselves by attestation. */
  readonly attested: boolean;
}
