import { timingSafeEqual } from 'node:crypto';
import { NodeCryptoPlugin } from '@otplib/plugin-crypto-node';
import { createGuardrails, generateSync } from 'otplib';
import type { HotpRecord, TotpRecord } from './contract.ts';
import { seedLengths } from './seed.ts';

const crypto = new NodeCryptoPlugin();
const guardrails = createGuardrails({
  MIN_SECRET_BYTES: seedLengths.shortest,
  MAX_SECRET_BYTES: seedLengths.longest,
});

/**
 * The code at a moving factor (RFC 4226, 5.3): the counter of HOTP, the step of TOTP.
 * @param movingFactor 0 or more
 */
export function codeAt(record: TotpRecord | HotpRecord, movingFactor: number): string {
  return generateSync({
    strategy: 'hotp',
    secret: Buffer.from(record.secret, 'base64'),
    counter: movingFactor,
    digits: record.digits,
    algorithm: record.algorithm,
    crypto,
    guardrails,
  });
}

/** How long the comparison takes tells nothing of how much of a code was right. */
export function sameCode(expected: string, given: string): boolean {
  const a = Buffer.from(expected);
  const b = Buffer.from(given);
  return a.length === b.length && timingSafeEqual(a, b);
}
