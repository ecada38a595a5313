import { createHmac, randomBytes } from 'node:crypto';
import { newYubikey, type Yubikey } from './otp.ts';

/** An account that logs in, with its HOTP token and its YubiKey. */
export interface Person {
  readonly name: string;
  readonly secret: Buffer;
  readonly yubikey: Yubikey;
}

export const mostClients = 64;

/** Spread evenly over the names that there are, so that no two stand side by side in a file or a store. */
export const people: readonly Person[] = Array.from({ length: mostClients }, (_, index) => ({
  name: `u${hex(index * (256 / mostClients), 2)}`,
  secret: randomBytes(20),
  yubikey: newYubikey(),
}));

/**
 * The accounts that never log in, in the order of their names.
 * @param users how many accounts there are together with those that do
 */
export function* crowd(users: number): Iterable<string> {
  const count = users - mostClients;
  for (let index = 0; index < count; index += 1) yield `u${hex(Math.floor((index * 2 ** 32) / count), 8)}`;
}

function hex(value: number, length: number): string {
  return value.toString(16).padStart(length, '0');
}

/** Six digits (RFC 4226, 5.3), apart from the daemon's own. */
export function codesOf(secret: Buffer, first: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const moving = Buffer.alloc(8);
    moving.writeBigUInt64BE(BigInt(first + index));
    const mac = createHmac('sha1', secret).update(moving).digest();
    const binary = mac.readUInt32BE(mac.readUInt8(mac.length - 1) & 0x0f) & 0x7fff_ffff;
    return String(binary % 1_000_000).padStart(6, '0');
  });
}

/** RFC 4648; 20 bytes need no padding. */
export function base32(bytes: Buffer): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const fives = bits.match(/.{5}/g) ?? [];
  return fives.map((five) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.charAt(Number.parseInt(five, 2))).join('');
}
