import { SallyportError } from '../errors.ts';

/** Bytes of a seed. Random ones have the length that RFC 4226, section 4, recommends. */
export const seedLengths = {
  /** 80 bits: what older google-authenticator files hold. */
  shortest: 10,
  random: 20,
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
