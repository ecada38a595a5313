import type { KeyAlgorithm } from '../contract.ts';

/**
 * Converts public keys as security keys stored them before WebAuthn to COSE (RFC 9052, 7; RFC 9053, 7), the format
 * in which assertions are verified.
 */

const es256 = { bytes: 64, x: 32 } as const;
const eddsaBytes = 32;
const rs256 = { modulus: 256, bytes: 259 } as const;

/**
 * @param key ES256: the point, x and y, with or without 0x04 in front; EdDSA: 32 bytes; RS256: a modulus of 2048
 *   bits and an exponent of 24
 * @returns undefined if the key is malformed for that algorithm
 */
export function coseKey(algorithm: KeyAlgorithm, key: Buffer): Buffer | undefined {
  switch (algorithm) {
    case 'es256': {
      const point = key.length === es256.bytes + 1 && key[0] === 0x04 ? key.subarray(1) : key;
      if (point.length !== es256.bytes) return undefined;
      const [x, y] = [point.subarray(0, es256.x), point.subarray(es256.x)];
      return Buffer.concat([hex('a5010203262001215820'), x, hex('225820'), y]);
    }
    case 'eddsa':
      return key.length === eddsaBytes ? Buffer.concat([hex('a4010103272006215820'), key]) : undefined;
    case 'rs256': {
      if (key.length !== rs256.bytes) return undefined;
      const [modulus, exponent] = [key.subarray(0, rs256.modulus), key.subarray(rs256.modulus)];
      return Buffer.concat([hex('a401030339010020590100'), modulus, hex('2143'), exponent]);
    }
    default:
      return undefined;
  }
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}
