import { createHmac, timingSafeEqual } from 'node:crypto';
import { type CryptoPlugin, createGuardrails, generateSync } from 'otplib';
import { SallyportError } from '../lib/errors.ts';
import type { OtpFields } from './fields.ts';
import { checkSeed, seedLengths } from './seed.ts';

/** The library on Node's HMAC. Randomness is passed in to whatever needs it, so none is to be had here. */
const nodeHmac: CryptoPlugin = {
  name: 'node',
  hmac: (algorithm, key, data) => createHmac(algorithm, key).update(data).digest(),
  randomBytes: () => {
    throw new SallyportError('internal', 'codes need no randomness: a defect');
  },
  constantTimeEqual: (a, b) => sameCode(Buffer.from(a).toString('latin1'), Buffer.from(b).toString('latin1')),
};

/** The library's own bounds, but for seeds: it refuses those of older google-authenticator files. */
const guardrails = createGuardrails({
  MIN_SECRET_BYTES: seedLengths.shortest,
  MAX_SECRET_BYTES: seedLengths.longest,
});

/**
 * The code at a moving factor (RFC 4226, 5.3): the counter of HOTP, the step of TOTP. Windows, drift and replay are
 * the factors' own: the library's `verify` takes no part in them.
 * @param movingFactor 0 or more
 * @throws SallyportError bad-secret: with a short or empty key anybody could tell the codes
 */
export function codeAt(record: OtpFields, movingFactor: number): string {
  const secret = Buffer.from(record.secret, 'base64');
  checkSeed(secret);
  const { digits, algorithm } = record;
  return generateSync({
    strategy: 'hotp',
    secret,
    counter: movingFactor,
    digits,
    algorithm,
    crypto: nodeHmac,
    guardrails,
  });
}

/** How long the comparison takes tells nothing of how much of a code was right. */
export function sameCode(expected: string, given: string): boolean {
  const a = Buffer.from(expected);
  const b = Buffer.from(given);
  return a.length === b.length && timingSafeEqual(a, b);
}
