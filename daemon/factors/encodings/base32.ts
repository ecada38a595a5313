import { base32 } from '@otplib/plugin-base32-scure';
import { SallyportError } from '../../lib/errors.ts';

/** RFC 4648, section 6. */
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
/** Not toUpperCase(): it maps some non-ASCII letters, such as a dotless i, to ASCII. */
const lowerAlphabet = alphabet.toLowerCase();
const bitsPerSymbol = 5;

/** The separators that people write between the symbols of a secret. */
const ornament = /[\s-]/;
/** Only at the end: "secret=JBSW…" must not be accepted as one long secret. */
const padding = /[\s=-]/;

/** Upper case, without padding: the form that authenticator apps show and accept. */
export function encodeBase32(bytes: Buffer): string {
  return base32.encode(bytes);
}

/** In groups of four, for reading and typing. */
export function groupedBase32(bytes: Buffer): string {
  return encodeBase32(bytes).replace(/.{4}(?=.)/g, '$& ');
}

/**
 * Decodes secrets as they are shown, mailed and typed: any case, spaces and dashes anywhere, with or without
 * padding. Bits beyond the last whole byte are dropped, as authenticator apps do, so that both get the same seed.
 * @throws SallyportError `bad-secret`, which names the position of an invalid character, and holds no part of the
 *   secret
 */
export function decodeBase32(text: string): Buffer {
  const values: number[] = [];
  let position = 0;
  for (const character of withoutPadding(text)) {
    position += 1;
    if (!ornament.test(character)) values.push(symbolValue(character, position));
  }
  const beyond = (values.length * bitsPerSymbol) % 8;
  if (beyond >= bitsPerSymbol) {
    throw new SallyportError(
      'bad-secret',
      'the secret ends in the middle of a byte: a character at its end is missing, or there is one too many.',
    );
  }
  const last = values.pop();
  if (last === undefined) throw new SallyportError('bad-secret', 'the secret is empty.');
  // The library rejects bits beyond the last whole byte, unless they are zero.
  const symbols = [...values, last & ~((1 << beyond) - 1)].map((value) => alphabet.charAt(value)).join('');
  return Buffer.from(base32.decode(symbols));
}

function withoutPadding(text: string): string {
  let end = text.length;
  while (end > 0 && padding.test(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

function symbolValue(character: string, position: number): number {
  const upper = alphabet.indexOf(character);
  const value = upper >= 0 ? upper : lowerAlphabet.indexOf(character);
  if (value >= 0) return value;
  throw new SallyportError(
    'bad-secret',
    `character ${position} of the secret is not Base32 (A to Z and 2 to 7). ` +
      'Compare it again: such a secret never contains 0, 1 or 8, but may contain the letters O, I and B.',
  );
}
