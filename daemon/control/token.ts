import { randomBytes } from 'node:crypto';
import { messageOf } from '../errors.ts';
import { decodeBase32, encodeBase32 } from '../factors/base32.ts';
import { seedLengths } from '../factors/seed.ts';
import { otpauthUri } from '../factors/uri.ts';
import { ControlError } from './client.ts';

/** What a client needs to make a token's secret and to show it. All of it is secret. */

export type { OtpauthToken } from '../factors/uri.ts';
export { otpauthUri };

export function newSeed(): Buffer {
  return randomBytes(seedLengths.random);
}

/** Base32, as apps show it. */
export function seedText(seed: Buffer): string {
  return encodeBase32(seed);
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
