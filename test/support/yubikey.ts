import { createCipheriv, randomBytes } from 'node:crypto';
import { bytesOf, crcOf } from '../../daemon/factors/encodings/yubikey-otp.ts';

export interface Press {
  /** Of the key's life, one more each time that it gets power. */
  readonly use: number;
  /** Since it has power. */
  readonly session: number;
}

/** What programmes a YubiKey. */
export interface Programmed {
  /** Modhex. */
  readonly publicId: string;
  readonly privateId: Buffer;
  readonly aesKey: Buffer;
}

export const programmed: Programmed = {
  publicId: 'vvcccccccclb',
  privateId: Buffer.from('8792ebfe26cc', 'hex'),
  aesKey: Buffer.from('ecde18dbe76fbd0c33330f1c354871db', 'hex'),
};

export function newYubikey(): Programmed {
  const publicId = modhexOf(randomBytes(6));
  return { publicId, privateId: randomBytes(6), aesKey: randomBytes(16) };
}

/** What such a key types when it is touched. */
export function otp({ use, session }: Press, key: Programmed = programmed, spoil = 0): string {
  const block = Buffer.alloc(16);
  key.privateId.copy(block);
  block.writeUInt16LE(use, 6);
  block.writeUIntLE(49_712, 8, 3);
  block.writeUInt8(session, 11);
  block.writeUInt16LE(40_904, 12);
  block.writeUInt16LE(~crcOf(block.subarray(0, 14)) & 0xffff, 14);
  block[12] = (block[12] ?? 0) ^ spoil;
  const cipher = createCipheriv('aes-128-ecb', key.aesKey, null).setAutoPadding(false);
  return key.publicId + modhexOf(Buffer.concat([cipher.update(block), cipher.final()]));
}

export function modhexOf(bytes: Buffer): string {
  const modhex = [...bytes.toString('hex')]
    .map((digit) => 'cbdefghijklnrtuv'.charAt(Number.parseInt(digit, 16)))
    .join('');
  if (!bytesOf(modhex).equals(bytes)) throw new Error('modhex is read otherwise than it is written');
  return modhex;
}
