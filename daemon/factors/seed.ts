import { SallyportError } from '../lib/errors.ts';

/**
 * Bytes of a seed. Random ones are as long as what their hash makes (RFC 4226, 4; RFC 6238, 5.1). A file of its own,
 * so that the command line does not load what computes codes.
 */
export const seedLengths = {
  /** 80 bits: what older google-authenticator files hold. */
  shortest: 10,
  random: { sha1: 20, sha256: 32, sha512: 64 },
  /** The block of SHA-1 and SHA-256: HMAC hashes longer keys first, so more adds nothing. */
  longest: 64,
} as const;

/** Throws `bad-secret`. */
export function checkSeed(seed: Buffer): void {
  if (seed.length < seedLengths.shortest || seed.length > seedLengths.longest) {
    throw new SallyportError(
      'bad-secret',
      `the secret has ${seed.length} bytes; it must have ${seedLengths.shortest} to ${seedLengths.longest}. ` +
        `Copy the whole of it, or leave it out to have one made.`,
    );
  }
}

/** HMAC fills keys up with zeros, so zeros at the end make no other seed (RFC 2104, section 2). */
export function significant(secret: string): string {
  return Buffer.from(secret, 'base64')
    .toString('hex')
    .replace(/(?:00)+$/, '');
}

/** Whether a factor of any kind has this very secret. */
export function hasSecret(record: object, secret: string): boolean {
  return (
    'secret' in record &&
    typeof record.secret === 'string' &&
    significant(record.secret) === significant(secret)
  );
}

export function otherSettings({ name }: { readonly name: string }): SallyportError {
  return new SallyportError(
    'other-settings',
    `the factor "${name}" of this account has this very secret with other settings; remove one of the two`,
  );
}
