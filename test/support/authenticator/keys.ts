import { generateKeyPairSync, type JsonWebKey, type KeyObject, sign } from 'node:crypto';
import { type Cbor, type CborMap, cborMap } from './cbor.ts';

/** As COSE numbers them. */
export const es256 = -7 as const;
export const eddsa = -8 as const;
export const rs256 = -257 as const;
export type CoseAlgorithm = typeof es256 | typeof eddsa | typeof rs256;

export function isCoseAlgorithm(value: unknown): value is CoseAlgorithm {
  return value === es256 || value === eddsa || value === rs256;
}

export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

let rsa: KeyPair | undefined;

/** RSA takes its time, so that one process has one key of it for all its credentials. */
export function newKeyPair(algorithm: CoseAlgorithm): KeyPair {
  if (algorithm === es256) return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  if (algorithm === eddsa) return generateKeyPairSync('ed25519');
  rsa ??= generateKeyPairSync('rsa', { modulusLength: 2048 });
  return rsa;
}

/** In the form that WebAuthn has for the algorithm: ECDSA as DER. */
export function signWith(algorithm: CoseAlgorithm, privateKey: KeyObject, data: Buffer): Buffer {
  return sign(algorithm === eddsa ? null : 'sha256', data, privateKey);
}

export function coseKey(algorithm: CoseAlgorithm, publicKey: KeyObject): CborMap {
  const jwk = publicKey.export({ format: 'jwk' });
  if (algorithm === es256) return ecKey(algorithm, jwk);
  if (algorithm === eddsa) return cborMap([1, 1], [3, eddsa], [-1, 6], [-2, part(jwk.x)]);
  return cborMap([1, 3], [3, rs256], [-1, part(jwk.n)], [-2, part(jwk.e)]);
}

/** The half of a key agreement that is sent: ECDH-ES + HKDF-256 in name. */
export function coseAgreementKey(publicKey: KeyObject): CborMap {
  return ecKey(-25, publicKey.export({ format: 'jwk' }));
}

function ecKey(algorithm: Cbor, { x, y }: JsonWebKey): CborMap {
  return cborMap([1, 2], [3, algorithm], [-1, 1], [-2, part(x)], [-3, part(y)]);
}

/** 04, X, Y: as U2F has a public key. */
export function rawPoint(publicKey: KeyObject): Buffer {
  const { x, y } = publicKey.export({ format: 'jwk' });
  return Buffer.concat([Buffer.of(4), part(x), part(y)]);
}

function part(text: string | undefined): Buffer {
  if (text === undefined) throw new Error('a key without this part');
  return Buffer.from(text, 'base64url');
}
