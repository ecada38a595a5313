import { createDecipheriv, createHash } from 'node:crypto';

/** The OTP that a YubiKey types, and the names of the counters that accounts with the same key share. */

/** Modhex symbols of the encrypted block. */
export const blockLength = 32;
export const aesKeyBytes = 16;
export const privateIdBytes = 6;

const symbols = 'cbdefghijklnrtuv';
/** The CRC over a whole block, its own two bytes included. */
export const residue = 0xf0b8;

/** The counter name of a public id: for accounts whose AES key only the servers have. */
export function publicIdCounterName({ publicId }: { readonly publicId: string }): string {
  return `id:${publicId}`;
}

/** The counter name of an AES key, whatever public id it was enrolled under. */
export function aesKeyCounterName({ secret }: { readonly secret: string }): string {
  return `key:${sha256(Buffer.from(secret, 'base64')).toString('hex')}`;
}

export function isMarkName(name: string): boolean {
  return name.startsWith('id:') ? isPublicId(name.slice(3)) : /^key:[0-9a-f]{64}$/.test(name);
}

export function sha256(what: string | Buffer): Buffer {
  return createHash('sha256').update(what).digest();
}

/** The part before the block. */
export function publicIdOf(otp: string): string {
  return otp.slice(0, -blockLength);
}

/** Modhex of 1 to 8 bytes: the prefix that a key types before each block. */
export function isPublicId(text: string): boolean {
  return /^(?:[cbdefghijklnrtuv]{2}){1,8}$/.test(text);
}

/** The bytes of modhex text; other symbols must have been rejected before. */
export function bytesOf(modhex: string): Buffer {
  const hex = [...modhex].map((symbol) => symbols.indexOf(symbol).toString(16)).join('');
  return Buffer.from(hex, 'hex');
}

export function decrypt(key: Buffer, block: Buffer): Buffer {
  const decipher = createDecipheriv('aes-128-ecb', key, null).setAutoPadding(false);
  const parts = [decipher.update(block), decipher.final()];
  const whole = Buffer.concat(parts);
  for (const part of parts) part.fill(0);
  return whole;
}

/** Use counter (15 bits; the highest bit meant Caps Lock in old keys), then session counter. */
export function pressOf(block: Buffer): number {
  return (block.readUInt16LE(6) & 0x7fff) * 256 + block.readUInt8(11);
}

/** CRC-16 of ISO 13239, as the key computes it: reflected, 0x8408, initial value 0xffff. */
export function crcOf(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x8408 : crc >>> 1;
  }
  return crc;
}
