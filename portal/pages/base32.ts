import type { UserView } from '../../daemon/api/views.ts';

type OtpAlgorithm = UserView['defaults']['algorithm'];

/** RFC 4648, section 6: the format in which authenticator apps show and accept secrets. */
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** As long as the output of the hash (RFC 4226, 4; RFC 6238, 5.1), from the browser's random source. */
const secretBytes: Readonly<Record<OtpAlgorithm, number>> = { sha1: 20, sha256: 32, sha512: 64 };

export function randomSecret(algorithm: OtpAlgorithm): string {
  return base32Text(crypto.getRandomValues(new Uint8Array(secretBytes[algorithm])));
}

/** @returns undefined if the text is not Base32, or ends within a byte */
export function base32Bytes(text: string): Uint8Array | undefined {
  const symbols = text.replace(/[\s-]/g, '').replace(/=+$/, '').toUpperCase();
  if (!/^[A-Z2-7]+$/.test(symbols)) return undefined;
  const bytes: number[] = [];
  let held = 0;
  let bits = 0;
  for (const symbol of symbols) {
    held = (held << 5) | alphabet.indexOf(symbol);
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push(held >>> bits);
    held &= (1 << bits) - 1;
  }
  return bits >= 5 ? undefined : Uint8Array.from(bytes);
}

export function base32Text(bytes: Uint8Array): string {
  let text = '';
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet.charAt((held >>> bits) & 31);
    }
    held &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + alphabet.charAt((held << (5 - bits)) & 31);
}

export function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
