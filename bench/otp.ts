import { createCipheriv, randomBytes } from 'node:crypto';

/** What programmes a YubiKey. */
export interface Yubikey {
  /** Modhex. */
  readonly publicId: string;
  readonly privateId: Buffer;
  readonly aesKey: Buffer;
}

export function newYubikey(): Yubikey {
  return { publicId: modhex(randomBytes(6)), privateId: randomBytes(6), aesKey: randomBytes(16) };
}

/** What it types at each of so many touches, apart from the daemon's own; `first` counts those of its life. */
export function otpsOf({ publicId, privateId, aesKey }: Yubikey, first: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const touch = first + index;
    const block = Buffer.alloc(16);
    privateId.copy(block);
    block.writeUInt16LE(touch >>> 8, 6);
    block.writeUIntLE(touch, 8, 3);
    block.writeUInt8(touch & 0xff, 11);
    randomBytes(2).copy(block, 12);
    block.writeUInt16LE(crc(block.subarray(0, 14)) ^ 0xffff, 14);
    const cipher = createCipheriv('aes-128-ecb', aesKey, null).setAutoPadding(false);
    return publicId + modhex(Buffer.concat([cipher.update(block), cipher.final()]));
  });
}

function modhex(bytes: Buffer): string {
  return bytes
    .toString('hex')
    .replaceAll(/./g, (digit) => 'cbdefghijklnrtuv'.charAt(Number.parseInt(digit, 16)));
}

/** CRC-16 of ISO 13239, not yet inverted. */
function crc(bytes: Buffer): number {
  return bytes.reduce((sum, byte) => {
    let left = sum ^ byte;
    for (let bit = 0; bit < 8; bit += 1) left = (left >>> 1) ^ (left & 1 ? 0x8408 : 0);
    return left;
  }, 0xffff);
}
