import { createHmac, timingSafeEqual } from 'node:crypto';
import { type CryptoPlugin, createGuardrails, generateSync } from 'otplib';
import { SallyportError } from '../lib/errors.ts';
import type { OtpFields } from './fields.ts';
import { checkSeed, seedLengths } from './seed.ts';

/** The library on Node's HMAC. Callers pass in randomness, so the library gets none. */
const nodeHmac: CryptoPlugin = {
  name: 'node',
  hmac: (algorithm, key, data) => createHmac(algorithm, key).update(data).digest(),
  randomBytes: () => {
    throw new SallyportError('internal', 'internal error: a code requested randomness; please report this');
  },
  constantTimeEqual: (a, b) => sameCode(Buffer.from(a).toString('latin1'), Buffer.from(b).toString('latin1')),
};

/** The library's own limits, except for seeds: it rejects those of older google-authenticator files. */
const guardrails = createGuardrails({
  MIN_SECRET_BYTES: seedLengths.shortest,
  MAX_SECRET_BYTES: seedLengths.longest,
});

/**
 * The code at a moving factor (RFC 4226, 5.3): the counter of HOTP, the step of TOTP. The factors handle windows,
 * drift and replay themselves; the library's `verify` is not used.
 * @param movingFactor 0 or more
 * @throws SallyportError bad-secret: with a short or empty key the codes could be guessed
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

/** Compares in constant time: the duration does not reveal how much of a code was correct. */
export function sameCode(expected: string, given: string): boolean {
  const a = Buffer.from(expected);
  const b = Buffer.from(given);
  return a.length === b.length && timingSafeEqual(a, b);
}
