import { createHmac, timingSafeEqual } from 'node:crypto';
import type { HotpRecord, TotpRecord } from './contract.ts';
import { checkSeed } from './seed.ts';

/**
 * The code at a moving factor (RFC 4226, 5.3): the counter of HOTP, the step of TOTP.
 * @param movingFactor 0 or more
 * @throws SallyportError bad-secret: with a short or empty key anybody could tell the codes
 */
export function codeAt(record: TotpRecord | HotpRecord, movingFactor: number): string {
  const secret = Buffer.from(record.secret, 'base64');
  checkSeed(secret);
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(movingFactor));
  const mac = createHmac(record.algorithm, secret).update(counter).digest();
  // The low four bits of the last byte say where the 31 bits of the code begin.
  const truncated = mac.readUInt32BE(mac.readUInt8(mac.length - 1) & 0xf) & 0x7fff_ffff;
  return String(truncated % 10 ** record.digits).padStart(record.digits, '0');
}

/** How long the comparison takes tells nothing of how much of a code was right. */
export function sameCode(expected: string, given: string): boolean {
  const a = Buffer.from(expected);
  const b = Buffer.from(given);
  return a.length === b.length && timingSafeEqual(a, b);
}
