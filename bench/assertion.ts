import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { clientDataFor } from '../daemon/authenticators/key-requests.ts';
import type { Assertion } from '../daemon/factors/contract.ts';
import type { WebauthnRecord } from '../daemon/factors/webauthn.ts';

/** What a security key answers to a question of the daemon's, and what it is verified with. */
export interface Sample {
  readonly assertion: Assertion;
  readonly record: WebauthnRecord;
  /** As libfido2 is given them. */
  readonly rpId: string;
  readonly clientDataHash: Buffer;
  /** X and Y of the public key. */
  readonly point: Buffer;
}

const rpId = 'login.example.org';
const userPresent = 0x01;
const counter = 1;
/** COSE (RFC 9053): an ES256 key, with X and Y to come. */
const beforeX = Buffer.from('a5010203262001215820', 'hex');
const beforeY = Buffer.from('225820', 'hex');

/** Signed by a new ES256 key, as one that was touched does it. */
export function newSample(): Sample {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = publicKey.export({ format: 'jwk' });
  const x = Buffer.from(jwk.x ?? '', 'base64url');
  const y = Buffer.from(jwk.y ?? '', 'base64url');
  const { challenge, origin, clientDataJSON, hash } = clientDataFor('webauthn.get', rpId, {
    bytes: randomBytes,
  });
  const authenticatorData = Buffer.alloc(37);
  createHash('sha256').update(rpId).digest().copy(authenticatorData);
  authenticatorData.writeUInt8(userPresent, 32);
  authenticatorData.writeUInt32BE(counter, 33);
  const signature = sign('sha256', Buffer.concat([authenticatorData, hash]), privateKey);
  const credentialId = randomBytes(48).toString('base64url');
  return {
    assertion: { credentialId, challenge, origin, clientDataJSON, authenticatorData, signature },
    record: {
      kind: 'webauthn',
      id: 'f1',
      name: 'key',
      created: 0,
      enabled: true,
      credentialId,
      publicKey: Buffer.concat([beforeX, x, beforeY, y]).toString('base64'),
      algorithm: 'es256',
      counter: 0,
      spent: [],
      rpId,
      aaguid: '00000000-0000-0000-0000-000000000000',
      attested: false,
      resident: false,
      transports: ['usb'],
    },
    rpId,
    clientDataHash: hash,
    point: Buffer.concat([x, y]),
  };
}
