import { createHmac, randomBytes } from 'node:crypto';

/** Codes as an authenticator makes them, written from the RFCs and apart from the product's own. */

export type HashName = 'sha1' | 'sha256' | 'sha512';

/** RFC 4226, 5.3. */
export function hotp(secret: Buffer, counter: number, digits = 6, algorithm: HashName = 'sha1'): string {
  const moving = Buffer.alloc(8);
  moving.writeBigUInt64BE(BigInt(counter));
  const mac = createHmac(algorithm, secret).update(moving).digest();
  const offset = mac.readUInt8(mac.length - 1) & 0x0f;
  const binary = mac.readUInt32BE(offset) & 0x7fff_ffff;
  return String(binary % 10 ** digits).padStart(digits, '0');
}

/** RFC 6238. @param at milliseconds since the epoch; @param step steps away from the present one */
export function totp(secret: Buffer, { at = Date.now(), period = 30, step = 0, digits = 6 } = {}): string {
  return hotp(secret, Math.floor(at / 1000 / period) + step, digits);
}

/** A code of the right shape that is none of the steps near by. */
export function wrongTotp(secret: Buffer): string {
  const near = new Set([-2, -1, 0, 1, 2, 3].map((step) => totp(secret, { step })));
  return differentFrom(near);
}

/** A code of the right shape that is none of the next ones, so that no resync can come of it. */
export function wrongHotp(secret: Buffer, counter: number): string {
  const near = new Set(Array.from({ length: 1100 }, (_, ahead) => hotp(secret, counter + ahead)));
  return differentFrom(near);
}

function differentFrom(codes: ReadonlySet<string>): string {
  for (let guess = 0; ; guess += 1) {
    const code = String(guess * 7919 + 104729)
      .padStart(6, '0')
      .slice(-6);
    if (!codes.has(code)) return code;
  }
}

export function newSecret(bytes = 20): Buffer {
  return randomBytes(bytes);
}

/** RFC 4648, without padding. */
export function base32(bytes: Buffer): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      text += alphabet.charAt((value >>> (bits - 5)) & 31);
      bits -= 5;
    }
  }
  return bits > 0 ? text + alphabet.charAt((value << (5 - bits)) & 31) : text;
}
