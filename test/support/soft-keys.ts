import { createPublicKey } from 'node:crypto';
import { clientDataFor } from '../../daemon/authenticators/key-requests.ts';
import type { Assertion, KeyAlgorithm } from '../../daemon/factors/contract.ts';
import type { U2fRecord } from '../../daemon/factors/u2f.ts';
import type { WebauthnRecord } from '../../daemon/factors/webauthn.ts';
import { systemRandomness } from '../../daemon/lib/randomness.ts';
import { clientData } from './authenticator/answers.ts';
import { encode } from './authenticator/cbor.ts';
import {
  type AssertionRequest,
  type Credential,
  getAssertion,
  newCredential,
  sha256,
} from './authenticator/credential.ts';
import { coseKey, eddsa, es256, rs256 } from './authenticator/keys.ts';

/** Security keys without a machine around them: records, and what their keys really sign. */

export const rpId = 'login.example.org';
export const origin = `pam://${rpId}`;

const coseOf = { es256, eddsa, rs256 } as const;

export interface SoftKey<R = WebauthnRecord> {
  readonly credential: Credential;
  readonly record: R;
}

const common = { created: 1_700_000_000_000, enabled: true, counter: 0, spent: [] } as const;

function keyFor(party: string, algorithm: KeyAlgorithm) {
  const credential = newCredential({ rpIdHash: sha256(party), algorithm: coseOf[algorithm] });
  return {
    credential,
    credentialId: credential.id.toString('base64url'),
    publicKey: publicKeyOf(credential),
  };
}

/** As a record has it. */
export function publicKeyOf({ algorithm, privateKey }: Credential): string {
  return encode(coseKey(algorithm, createPublicKey(privateKey))).toString('base64');
}

export function softKey(changes: Partial<WebauthnRecord> = {}, algorithm: KeyAlgorithm = 'es256'): SoftKey {
  const { credential, ...key } = keyFor(changes.rpId ?? rpId, algorithm);
  const model = { aaguid: '5a119704-7e57-cafe-8000-000000000001', attested: false } as const;
  const kept = { resident: false, transports: ['usb'] } as const;
  const own = { ...common, ...key, ...model, ...kept, algorithm, rpId } as const;
  return { credential, record: { id: 'w1', kind: 'webauthn', name: 'blue key', ...own, ...changes } };
}

/** @param appId whom it was made for */
export function legacyKey(appId: string, changes: Partial<U2fRecord> = {}): SoftKey<U2fRecord> {
  const { credential, ...key } = keyFor(appId, 'es256');
  const own = { ...common, ...key, algorithm: 'es256', appId, verified: false } as const;
  return { credential, record: { id: 'u1', kind: 'u2f', name: 'old key', ...own, ...changes } };
}

/** What is asked, what the key is told, and what it says. */
export interface Asked extends Partial<AssertionRequest> {
  readonly challenge?: string;
  readonly origin?: string;
  /** Written into clientDataJSON in place of what was asked. */
  readonly said?: { readonly challenge?: string; readonly origin?: string };
  readonly type?: 'webauthn.create' | 'webauthn.get';
}

/** One more use of the key, for a challenge that nobody had before. */
export function assertionBy(
  { credential, record }: SoftKey<WebauthnRecord | U2fRecord>,
  asked: Asked = {},
): Assertion {
  const party = record.kind === 'webauthn' ? record.rpId : record.appId;
  const fresh = clientDataFor('webauthn.get', party, systemRandomness);
  const { challenge = fresh.challenge, origin: from = fresh.origin, said = {} } = asked;
  const { json, hash } = clientData(
    asked.type ?? 'webauthn.get',
    said.challenge ?? challenge,
    said.origin ?? from,
  );
  const made = getAssertion(credential, { rpId: party, clientDataHash: hash, ...asked });
  return { credentialId: record.credentialId, challenge, origin: from, clientDataJSON: json, ...made };
}
