import { createDecipheriv, timingSafeEqual } from 'node:crypto';
import type { Factor, FactorContext, FactorVerdict, YubikeyRecord } from './contract.ts';
import type { Shape } from './shape.ts';

/** Modhex symbols of the encrypted block. */
export const blockLength = 32;
export const aesKeyBytes = 16;
export const privateIdBytes = 6;

const symbols = 'cbdefghijklnrtuv';
/** What the CRC of a whole block comes to, its own two bytes included. */
const residue = 0xf0b8;

/**
 * A YubiKey OTP that is checked here, with the key's own AES key (Yubico, "YubiKey OTP": the block is AES-128
 * of private id, use counter, timestamp, session counter, random bytes and a CRC). The moving factor is the
 * press: use counter and session counter together.
 */
export const yubikey: Factor<YubikeyRecord> = {
  kind: 'yubikey',
  countsAsCode: true,
  usable: () => true,
  // Without a public id it is a key that was programmed to hide whose it is: none can be enrolled.
  takes: (_record, shape) => shape.kind === 'yubikey' && shape.text.length > blockLength,
  verify,
};

/*
 * - Only a block under this very AES key, with its CRC and private id right, MUST be accepted.
 * - Only a press above the last one accepted MUST be accepted; all below it are spent with it.
 * - The key may be enrolled for other accounts too: whoever stores the record MUST have raised `lastPress` to
 *   the mark of the public id before, and move that mark in the same commit.
 */
function verify(record: YubikeyRecord, shape: Shape, context: FactorContext): FactorVerdict<YubikeyRecord> {
  const wrong = { outcome: 'refused', reason: 'wrong' } as const;
  if (shape.kind !== 'yubikey') return wrong;
  const split = shape.text.length - blockLength;
  if (shape.text.slice(0, split) !== record.publicId) return wrong;
  const block = decrypt(Buffer.from(record.secret, 'base64'), bytesOf(shape.text.slice(split)));
  const privateId = Buffer.from(record.privateId, 'base64');
  const isRight =
    privateId.length === privateIdBytes &&
    timingSafeEqual(block.subarray(0, privateIdBytes), privateId) &&
    crcOf(block) === residue;
  const press = pressOf(block);
  block.fill(0);
  if (!isRight) return wrong;
  if (press <= record.lastPress) return { outcome: 'refused', reason: 'replay' };
  return { outcome: 'accepted', record: { ...record, lastPress: press, lastUsed: context.now } };
}

/** Modhex of 1 to 8 bytes: what a key puts before each block. */
export function isPublicId(text: string): boolean {
  return /^(?:[cbdefghijklnrtuv]{2}){1,8}$/.test(text);
}

/** The bytes of modhex text; whatever is no symbol of it must have been refused before. */
export function bytesOf(modhex: string): Buffer {
  const hex = [...modhex].map((symbol) => symbols.indexOf(symbol).toString(16)).join('');
  return Buffer.from(hex, 'hex');
}

function decrypt(key: Buffer, block: Buffer): Buffer {
  const decipher = createDecipheriv('aes-128-ecb', key, null).setAutoPadding(false);
  return Buffer.concat([decipher.update(block), decipher.final()]);
}

/** Use counter (15 bits; the highest bit told of Caps Lock in old keys), then session counter. */
function pressOf(block: Buffer): number {
  return (block.readUInt16LE(6) & 0x7fff) * 256 + block.readUInt8(11);
}

/** CRC-16 of ISO 13239, as the key makes it: reflected, 0x8408, begun with 0xffff. */
export function crcOf(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x8408 : crc >>> 1;
  }
  return crc;
}
