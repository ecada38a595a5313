import { SallyportError } from '../lib/errors.ts';
import { offsetText } from '../lib/units.ts';
import type { AnyRecord, ClockOffset } from './answer.ts';

/**
 * Limits of a seed in bytes. A random one is as long as the output of its hash (RFC 4226, 4; RFC 6238, 5.1). In a
 * separate file, so that the command line does not load the code that computes codes.
 */
export const seedLengths = {
  /** 80 bits: what older google-authenticator files hold. */
  shortest: 10,
  random: { sha1: 20, sha256: 32, sha512: 64 },
  /** The block of SHA-1 and SHA-256: HMAC hashes longer keys first, so more adds nothing. */
  longest: 64,
} as const;

/** @throws SallyportError `bad-secret` */
export function checkSeed(seed: Buffer): void {
  if (seed.length < seedLengths.shortest || seed.length > seedLengths.longest) {
    throw new SallyportError(
      'bad-secret',
      `the secret has ${seed.length} bytes; it must have ${seedLengths.shortest} to ${seedLengths.longest}. ` +
        `Copy all of it, or omit it to generate one.`,
    );
  }
}

/** HMAC pads keys with zeros, so trailing zeros do not make a different seed (RFC 2104, section 2). */
export function significant(secret: string): string {
  return Buffer.from(secret, 'base64')
    .toString('hex')
    .replace(/(?:00)+$/, '');
}

/** Whether a factor of any kind has this secret. */
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

/** @throws SallyportError `bad-secret` */
export function newSecret(secret: Buffer, kept: readonly AnyRecord[]): string {
  checkSeed(secret);
  const text = secret.toString('base64');
  const same = kept.find((factor) => hasSecret(factor, text));
  if (same === undefined) return text;
  throw new SallyportError(
    'bad-secret',
    `the factor "${same.name}" of this account has this very secret; remove it first, or use another secret`,
  );
}

export function noCurrentCode({ offset }: { readonly offset?: ClockOffset }): SallyportError {
  return new SallyportError(
    'wrong-code',
    offset === undefined
      ? 'not a current code for this secret; check the secret, the clock of the device and of this machine'
      : `that is ${offsetText(offset.seconds)}: set the clock of the device right, or that of this machine`,
  );
}
