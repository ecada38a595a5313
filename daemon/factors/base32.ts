import { SallyportError } from '../errors.ts';

/** RFC 4648, section 6. */
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
/** Not toUpperCase(): it makes ASCII of letters that are none, of a dotless i for one. */
const lowerAlphabet = alphabet.toLowerCase();
const bitsPerSymbol = 5;

/** What people put between the symbols when they write a secret down. */
const ornament = /[\s-]/;
/** Only at the end: "secret=JBSW…" must not pass as one long secret. */
const padding = /[\s=-]/;

/** Upper case, without padding: the form that authenticator apps show and take. */
export function encodeBase32(bytes: Buffer): string {
  let text = '';
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= bitsPerSymbol) {
      bits -= bitsPerSymbol;
      text += alphabet[(held >>> bits) & 31];
    }
    held &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + alphabet[(held << (bitsPerSymbol - bits)) & 31];
}

/** In groups of four, as people read them out and type them. */
export function groupedBase32(bytes: Buffer): string {
  return encodeBase32(bytes).replace(/.{4}(?=.)/g, '$& ');
}

/**
 * Takes secrets as they are shown, mailed and typed: any case, spaces and dashes anywhere, padding or none.
 * Bits beyond the last whole byte are dropped, as authenticator apps do, so that both get the same seed.
 * Throws `bad-secret`, which names the position of a character that does not belong, and holds no part of the secret.
 */
export function decodeBase32(text: string): Buffer {
  const bytes: number[] = [];
  let held = 0;
  let bits = 0;
  let position = 0;
  for (const character of withoutPadding(text)) {
    position += 1;
    if (ornament.test(character)) continue;
    held = (held << bitsPerSymbol) | symbolValue(character, position);
    bits += bitsPerSymbol;
    if (bits >= 8) {
      bits -= 8;
      bytes.push(held >>> bits);
      held &= (1 << bits) - 1;
    }
  }
  if (bits >= bitsPerSymbol) {
    throw new SallyportError(
      'bad-secret',
      'the secret ends in the middle of a byte: a character at its end is missing, or there is one too many.',
    );
  }
  if (bytes.length === 0) throw new SallyportError('bad-secret', 'the secret is empty.');
  return Buffer.from(bytes);
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
    `character ${position} of the secret is none of Base32 (A to Z and 2 to 7). ` +
      'Look at it once more: 0, 1 and 8 never stand in such a secret, the letters O, I and B do.',
  );
}
