import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { SallyportError } from '../lib/errors.ts';
import type {
  AcceptedFormat,
  AnswerFormat,
  AnyRecord,
  Assertion,
  FactorContext,
  FactorVerdict,
  KeyAlgorithm,
  RealmTerms,
} from './contract.ts';
import { credentialFields, type Infer } from './fields.ts';

const credential = v.strictObject(credentialFields);
/** The common fields of security key records. */
export type CredentialFields = Infer<typeof credential>;

export const keyAlgorithmNames: Readonly<Record<KeyAlgorithm, string>> = {
  es256: 'ES256',
  eddsa: 'EdDSA',
  rs256: 'RS256',
};

export function assertionOf({ credentialId }: CredentialFields): readonly AcceptedFormat[] {
  return [{ kind: 'assertion', credentialId }];
}

/** A challenge belongs to one login and only lives in memory: none is ever repeated after a restore. */
export function restoredCredential<R extends CredentialFields>(
  record: R,
  same: R | undefined,
): { readonly record: R } {
  const counter = Math.max(record.counter, same?.counter ?? 0);
  return { record: { ...record, counter, spent: [...new Set([...(same?.spent ?? []), ...record.spent])] } };
}

export function isCredentialOf(kept: object, credentialId: string): kept is CredentialFields {
  return 'credentialId' in kept && kept.credentialId === credentialId;
}

/** @throws SallyportError `bad-secret` */
export function refuseSameCredential(credentialId: string, kept: readonly AnyRecord[]): void {
  const same = kept.find((other) => isCredentialOf(other, credentialId));
  if (same === undefined) return;
  throw new SallyportError(
    'bad-secret',
    `the factor "${same.name}" of this account is this very credential; remove it first`,
  );
}

/** @throws SallyportError `key-refused` */
export function refuseModels({ name, webauthn }: RealmTerms): void {
  if (webauthn.models === undefined) return;
  throw new SallyportError(
    'key-refused',
    `the realm "${name}" allows only certain models of security keys, and an imported key cannot prove its model; enrol it again: sallyport factor add webauthn`,
  );
}

export const staysHere =
  'a security key signs for the system that it was enrolled with; enrol it there again';

/*
 * W3C Web Authentication Level 3, 7.2.
 *
 * - Only an assertion whose signature was verified with this record's key MUST be accepted.
 * - A challenge is answered once: an accepted answer MUST be refused from then on, whatever the counter says.
 * - Where the realm requires user verification, the signed flag counts, not the request for it.
 * - The counter is evaluated after the signature, so that a forged one raises no alarm. A key that counts MUST have
 *   counted on; one that never did (0 before and now) is accepted.
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

/** How many used challenges are remembered; each belongs to one login, and expires with it. */
const remembered = 16;

function digestOf({ challenge }: Assertion): string {
  return createHash('sha256').update(challenge).digest().subarray(0, 16).toString('base64');
}
