import { createHash, createPublicKey, type KeyObject, randomBytes } from 'node:crypto';
import { type CborMap, cborMap, encode } from './cbor.ts';
import { type CoseAlgorithm, coseKey, es256, newKeyPair, rawPoint, signWith } from './keys.ts';

/** What an authenticator keeps of a credential: everything, so that a copy of it is a clone. */
export interface Credential {
  readonly id: Buffer;
  /** SHA-256 of the relying party's id, or of the AppID in U2F. */
  readonly rpIdHash: Buffer;
  readonly algorithm: CoseAlgorithm;
  readonly privateKey: KeyObject;
  readonly resident: boolean;
  readonly user?: { readonly id: Buffer; readonly name?: string; readonly displayName?: string };
  /** Of the last assertion. */
  counter: number;
}

/** What a credential is attested by: its own key, nothing, or a maker's certificate (best first) and key. */
export type Attestation =
  | 'self'
  | 'none'
  | { readonly fmt: 'packed' | 'fido-u2f'; readonly x5c: readonly Buffer[]; readonly privateKey: KeyObject };

export interface CredentialRequest {
  readonly rpId: string;
  readonly clientDataHash: Buffer;
  readonly algorithm?: CoseAlgorithm;
  readonly user?: Credential['user'];
  readonly resident?: boolean;
  readonly attestation?: Attestation;
  readonly aaguid?: Buffer;
  readonly up?: boolean;
  readonly uv?: boolean;
  readonly counter?: number;
  /** Signs something else. */
  readonly wrongSignature?: boolean;
}

export interface MadeCredential {
  readonly credential: Credential;
  readonly credentialId: Buffer;
  readonly fmt: 'packed' | 'fido-u2f' | 'none';
  readonly authData: Buffer;
  readonly attStmt: CborMap;
  /** As WebAuthn has it: CBOR of fmt, attStmt and authData. */
  readonly attestationObject: Buffer;
}

export const defaultAaguid = Buffer.from('5a1197047e57cafe8000000000000001', 'hex');

export function sha256(...parts: readonly (Buffer | string)[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

export interface NewCredential {
  readonly rpIdHash: Buffer;
  readonly algorithm?: CoseAlgorithm;
  readonly resident?: boolean;
  readonly user?: Credential['user'];
  readonly counter?: number;
}

export function newCredential(wish: NewCredential): Credential {
  const { rpIdHash, algorithm = es256, resident = false, user, counter = 0 } = wish;
  const { privateKey } = newKeyPair(algorithm);
  const id = randomBytes(48);
  return { id, rpIdHash, algorithm, privateKey, resident, counter, ...(user === undefined ? {} : { user }) };
}

interface Flags {
  readonly up?: boolean;
  readonly uv?: boolean;
}

/** rpIdHash, flags, counter and, if there is any, attested credential data. */
function authenticatorData(rpIdHash: Buffer, { up, uv }: Flags, counter: number, attested?: Buffer): Buffer {
  const fixed = Buffer.alloc(5);
  fixed.writeUInt8((up ? 0x01 : 0) | (uv ? 0x04 : 0) | (attested ? 0x40 : 0));
  fixed.writeUInt32BE(counter, 1);
  return Buffer.concat([rpIdHash, fixed, attested ?? Buffer.alloc(0)]);
}

/** Makes a credential as an authenticator does, without one. */
export function makeCredential(request: CredentialRequest): MadeCredential {
  const credential = newCredential({ ...request, rpIdHash: sha256(request.rpId) });
  return attest(credential, request);
}

/** What an authenticator says of a credential that it just made. */
export function attest(
  credential: Credential,
  request: Omit<CredentialRequest, 'rpId' | 'algorithm' | 'user' | 'resident'>,
): MadeCredential {
  const { attestation = 'self', up = true, uv = false, clientDataHash } = request;
  const isU2f = typeof attestation === 'object' && attestation.fmt === 'fido-u2f';
  const aaguid = isU2f ? Buffer.alloc(16) : (request.aaguid ?? defaultAaguid);
  const publicKey = createPublicKey(credential.privateKey);
  const idLength = Buffer.alloc(2);
  idLength.writeUInt16BE(credential.id.length);
  const cose = encode(coseKey(credential.algorithm, publicKey));
  const attested = Buffer.concat([aaguid, idLength, credential.id, cose]);
  const authData = authenticatorData(credential.rpIdHash, { up, uv }, credential.counter, attested);

  const signed = isU2f
    ? Buffer.concat([Buffer.of(0), credential.rpIdHash, clientDataHash, credential.id, rawPoint(publicKey)])
    : Buffer.concat([authData, clientDataHash]);
  const data = request.wrongSignature ? Buffer.concat([signed, Buffer.of(0)]) : signed;
  const { fmt, attStmt } = statement(credential, attestation, data);
  const attestationObject = encode(cborMap(['fmt', fmt], ['attStmt', attStmt], ['authData', authData]));
  return { credential, credentialId: credential.id, fmt, authData, attStmt, attestationObject };
}

function statement(
  { algorithm, privateKey }: Credential,
  attestation: Attestation,
  data: Buffer,
): Pick<MadeCredential, 'fmt' | 'attStmt'> {
  if (attestation === 'none') return { fmt: 'none', attStmt: cborMap() };
  if (attestation === 'self') {
    const sig = signWith(algorithm, privateKey, data);
    return { fmt: 'packed', attStmt: cborMap(['alg', algorithm], ['sig', sig]) };
  }
  const { fmt, x5c } = attestation;
  const sig = signWith(es256, attestation.privateKey, data);
  const alg = fmt === 'packed' ? es256 : undefined;
  return { fmt, attStmt: cborMap(['alg', alg], ['sig', sig], ['x5c', x5c]) };
}

export interface AssertionRequest {
  readonly rpId: string;
  readonly clientDataHash: Buffer;
  readonly up?: boolean;
  readonly uv?: boolean;
  /** Said as it is; without it, one more than the last time. */
  readonly counter?: number;
  readonly wrongSignature?: boolean;
}

export interface MadeAssertion {
  readonly authenticatorData: Buffer;
  readonly signature: Buffer;
}

/** Signs as an authenticator does, without one. */
export function getAssertion(credential: Credential, request: AssertionRequest): MadeAssertion {
  return signAssertion(credential, { ...request, rpIdHash: sha256(request.rpId) });
}

export function signAssertion(
  credential: Credential,
  request: Omit<AssertionRequest, 'rpId'> & { readonly rpIdHash: Buffer },
): MadeAssertion {
  const { rpIdHash, clientDataHash, up = true, uv = false, wrongSignature = false } = request;
  if (request.counter === undefined) credential.counter += 1;
  const data = authenticatorData(rpIdHash, { up, uv }, request.counter ?? credential.counter);
  const signed = [data, clientDataHash, Buffer.alloc(wrongSignature ? 1 : 0)];
  const signature = signWith(credential.algorithm, credential.privateKey, Buffer.concat(signed));
  return { authenticatorData: data, signature };
}
