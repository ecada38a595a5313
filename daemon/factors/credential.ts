import { createHash } from 'node:crypto';
import * as v from 'valibot';
import type {
  AcceptedFormat,
  AnswerFormat,
  AnyRecord,
  Assertion,
  FactorContext,
  FactorVerdict,
  KeyAlgorithm,
} from './contract.ts';
import { credentialFields, type Infer } from './fields.ts';

const credential = v.strictObject(credentialFields);
/** What the records of security keys have in common. */
export type CredentialFields = Infer<typeof credential>;

export const keyAlgorithmNames: Readonly<Record<KeyAlgorithm, string>> = {
  es256: 'ES256',
  eddsa: 'EdDSA',
  rs256: 'RS256',
};

export function assertionOf({ credentialId }: CredentialFields): readonly AcceptedFormat[] {
  return [{ kind: 'assertion', credentialId }];
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
export function verifyAssertion<R extends AnyRecord & CredentialFields>(
  record: R,
  relyingParty: string,
  format: AnswerFormat,
  context: FactorContext,
  mustBeVerified: boolean,
): FactorVerdict<R> {
  if (format.kind !== 'assertion' || format.assertion.credentialId !== record.credentialId)
    return { outcome: 'refused', reason: 'wrong' };
  const { assertion } = format;
  const { credentialId, publicKey } = record;
  const signed = context.signed?.(assertion, { credentialId, publicKey, relyingParty });
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
