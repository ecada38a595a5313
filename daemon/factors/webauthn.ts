import { createHash } from 'node:crypto';
import type { AnswerFormat } from './answer-format.ts';
import type {
  Assertion,
  CredentialRecord,
  Factor,
  FactorContext,
  FactorVerdict,
  U2fRecord,
  WebauthnRecord,
} from './contract.ts';

/** A credential for our own relying party. */
export const webauthn: Factor<WebauthnRecord> = {
  kind: 'webauthn',
  countsAsCode: false,
  usable: () => true,
  takes,
  verify: (record, shape, context) => verify(record, shape, context, context.userVerification === 'required'),
};

/** An older one, for whatever relying party it was made. */
export const u2f: Factor<U2fRecord> = {
  kind: 'u2f',
  countsAsCode: false,
  usable: () => true,
  takes,
  verify: (record, shape, context) =>
    verify(record, shape, context, record.verified || context.userVerification === 'required'),
};

function takes(record: CredentialRecord, shape: AnswerFormat): boolean {
  return shape.kind === 'assertion' && shape.assertion.credentialId === record.credentialId;
}

/*
 * W3C Web Authentication Level 3, 7.2.
 *
 * - Only an assertion whose signature by this very record's key was checked MUST be accepted.
 * - A challenge is answered once: what was accepted MUST be refused from then on, whatever the counter says.
 * - Where the realm wants the user verified, it is the signed flag that counts: not that it was asked for.
 * - The counter is judged after the signature, so that nobody can raise an alarm with a forged one. A key that
 *   counts MUST have counted on; one that never did (0 before and now) is let through.
 */
function verify<R extends CredentialRecord>(
  record: R,
  shape: AnswerFormat,
  context: FactorContext,
  mustBeVerified: boolean,
): FactorVerdict<R> {
  if (shape.kind !== 'assertion' || !takes(record, shape)) return { outcome: 'refused', reason: 'wrong' };
  const { assertion } = shape;
  const signed = context.signed?.(assertion, record);
  if (signed === undefined) return { outcome: 'refused', reason: 'wrong' };
  if (record.spent.includes(digestOf(assertion))) return { outcome: 'refused', reason: 'replay' };
  if (mustBeVerified && !signed.userVerified) return { outcome: 'refused', reason: 'wrong' };
  const counts = signed.counter !== 0 || record.counter !== 0;
  if (counts && signed.counter <= record.counter) return { outcome: 'refused', reason: 'counter' };
  const spent = [digestOf(assertion), ...record.spent].slice(0, remembered);
  return {
    outcome: 'accepted',
    record: { ...record, counter: signed.counter, spent, lastUsed: context.now },
  };
}

/** Challenges that are still known as spent; each is of one login, and dies with it. */
const remembered = 16;

function digestOf({ challenge }: Assertion): string {
  return createHash('sha256').update(challenge).digest().subarray(0, 16).toString('base64');
}
