import { randomBytes } from 'node:crypto';
import type { OtpAlgorithm } from '../factors/contract.ts';
import { decodeBase32, encodeBase32, groupedBase32 } from '../factors/encodings/base32.ts';
import { otpauthUri, shortOtpauthUris } from '../factors/encodings/otpauth.ts';
import { readSshSkKey } from '../factors/encodings/ssh-key.ts';
import { readU2fText } from '../factors/encodings/u2f-text.ts';
import { aesKeyBytes, isPublicId, privateIdBytes } from '../factors/encodings/yubikey-otp.ts';
import { seedLengths } from '../factors/seed.ts';
import type { U2fJson } from '../factors/u2f.ts';
import { messageOf } from '../lib/errors.ts';
import { qrCode } from '../lib/qr.ts';
import { ControlError } from './client.ts';

/** What a client needs to make a token's secret and to show it. All of it is secret. */

export type { OtpauthToken } from '../factors/encodings/otpauth.ts';
export { otpauthUri, qrCode, shortOtpauthUris };

export function newSeed(algorithm: OtpAlgorithm): Buffer {
  return randomBytes(seedLengths.random[algorithm]);
}

/**
 * @param text modhex as people write it, in any case
 * @throws ControlError bad-secret
 */
export function readPublicId(text: string): string {
  const publicId = text.trim().toLowerCase();
  if (isPublicId(publicId)) return publicId;
  throw new ControlError(
    'bad-secret',
    'the public id has 2 to 16 modhex symbols (cbdefghijklnrtuv); copy the whole of it',
  );
}

/**
 * What programs a YubiKey, as its tools show it: hex digits, with spaces, dashes and colons or without.
 * @throws ControlError bad-secret, without the digits in it
 */
export function readYubikeyHex(text: string, part: keyof typeof yubikeyParts): Buffer {
  const { what, bytes } = yubikeyParts[part];
  const digits = text.replaceAll(/[\s:-]/g, '');
  if (/^[0-9a-f]*$/i.test(digits) && digits.length === 2 * bytes) return Buffer.from(digits, 'hex');
  throw new ControlError('bad-secret', `${what} has ${2 * bytes} hex digits; copy the whole of it`);
}

const yubikeyParts = {
  privateId: { what: 'the private id', bytes: privateIdBytes },
  aesKey: { what: 'the AES key', bytes: aesKeyBytes },
} as const;

/** Base32, as programs take it. */
export function seedText(seed: Buffer): string {
  return encodeBase32(seed);
}

/** In groups of four, for people. */
export function groupedSeedText(seed: Buffer): string {
  return groupedBase32(seed);
}

/**
 * @param text Base32 as people write it: any case, with spaces, dashes and padding or without
 * @throws ControlError bad-secret, without the secret in it
 */
export function readSeed(text: string): Buffer {
  try {
    return decodeBase32(text);
  } catch (error) {
    throw new ControlError('bad-secret', messageOf(error));
  }
}

/**
 * A legacy credential as other programs wrote it down (factors/encodings/u2f-text.ts).
 * @throws ControlError bad-secret
 */
export function readU2f(text: string, appId: string): U2fJson {
  const read = readU2fText(text);
  if (read !== undefined)
    return {
      credentialId: read.credentialId.toString('base64url'),
      publicKey: read.publicKey.toString('base64'),
      algorithm: read.algorithm,
      appId,
      verified: read.verified,
    };
  const isResident = text.trim().startsWith('*,');
  throw new ControlError(
    'bad-secret',
    isResident
      ? 'a resident credential of pam_u2f ("*") has no key handle here to ask the key for; add the key again as webauthn'
      : 'that is no credential; copy KEYHANDLE,PUBLICKEY,es256,+presence from between two colons of u2f_keys',
  );
}

/**
 * The line of a .pub file, without its comment: what the daemon is given of it.
 * @throws ControlError bad-key, without what was read
 */
export function readSshKeyLine(text: string): string {
  try {
    const { keyType, publicKey } = readSshSkKey(text);
    return `${keyType} ${publicKey}`;
  } catch (error) {
    throw new ControlError('bad-key', messageOf(error));
  }
}
