import type { KeyAlgorithm } from '../contract.ts';

/** A legacy credential as other programs store it. */
export interface U2fText {
  readonly credentialId: Buffer;
  /** Raw, as `coseKey` takes it. */
  readonly publicKey: Buffer;
  readonly algorithm: KeyAlgorithm;
  /** Each use was to ask for a PIN or fingerprint. */
  readonly verified: boolean;
}

const algorithms: Readonly<Record<string, KeyAlgorithm>> = { es256: 'es256', eddsa: 'eddsa', rs256: 'rs256' };

/**
 * One credential of pam_u2f's authfile (the part between two colons), or key handle and public key as Proxmox VE
 * stores them:
 *
 * - `keyHandle,publicKey,es256,+presence` (pam_u2f 1.1 and newer): both in base64;
 * - `keyHandle,publicKey` (older ones): the handle in web-safe base64, the point in hex;
 * - the same two, the point in base64 (Proxmox VE, `tfa.json`).
 *
 * @returns undefined if it has none of these formats
 */
export function readU2fText(text: string): U2fText | undefined {
  const [handle = '', key = '', type, attributes = '', ...more] = text.trim().split(',');
  const credentialId = bytesOf(handle);
  if (more.length > 0 || credentialId === undefined || credentialId.length === 0) return undefined;
  if (type === undefined) {
    const publicKey = /^04[0-9a-f]{128}$/i.test(key) ? Buffer.from(key, 'hex') : bytesOf(key);
    if (publicKey?.length !== 65 || publicKey[0] !== 0x04) return undefined;
    return { credentialId, publicKey, algorithm: 'es256', verified: false };
  }
  const algorithm = algorithms[type.toLowerCase()];
  const publicKey = bytesOf(key);
  if (algorithm === undefined || publicKey === undefined) return undefined;
  if (!/^(?:\+(?:presence|verification|pin))*$/.test(attributes)) return undefined;
  return { credentialId, publicKey, algorithm, verified: /\+(?:verification|pin)/.test(attributes) };
}

/** Base64 of either alphabet, padded or not. */
function bytesOf(text: string): Buffer | undefined {
  return /^[A-Za-z0-9+/_-]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined;
}
