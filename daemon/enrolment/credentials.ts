import type { FactorBase } from '../factors/contract.ts';
import { coseKey } from '../factors/cose.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import { credentialOf } from '../factors/kinds.ts';
import type { U2fRecord } from '../factors/u2f.ts';
import { SallyportError } from '../lib/errors.ts';
import { limits } from '../limits.ts';
import type { U2fCredential } from '../verifier/contract.ts';

/** @throws SallyportError `bad-secret`: what was copied is no key, or for no relying party */
export function legacyCredential(credential: U2fCredential): Omit<U2fRecord, keyof FactorBase> {
  const { credentialId, algorithm, appId, verified } = credential;
  const key = coseKey(algorithm, credential.publicKey);
  if (key === undefined)
    throw new SallyportError('bad-secret', 'that is no public key of its kind; copy the line as it is');
  if (!isCredentialId(credentialId))
    throw new SallyportError('bad-secret', 'that is no key handle; copy the line as it is');
  if (appId.length === 0 || appId.length > limits.appIdLength || !/^[\x21-\x7e]+$/.test(appId))
    throw new SallyportError(
      'bad-secret',
      'the key was made for an AppID (https://…), or for what pam_u2f calls its origin (pam://HOST): say that one',
    );
  const publicKey = key.toString('base64');
  return { kind: 'u2f', credentialId, publicKey, algorithm, counter: 0, spent: [], appId, verified };
}

/** As the key will say it: what decodes to the same bytes but is written in another way would never be found. */
function isCredentialId(text: string): boolean {
  const bytes = Buffer.from(text, 'base64url');
  const isSized = bytes.length > 0 && bytes.length <= limits.credentialIdLength;
  return isSized && bytes.toString('base64url') === text;
}

/** @throws SallyportError `bad-secret` */
export function refuseSameCredential(
  factor: { readonly credentialId: string },
  kept: readonly FactorRecord[],
): void {
  const same = kept.find((other) => credentialOf(other)?.credentialId === factor.credentialId);
  if (same === undefined) return;
  throw new SallyportError(
    'bad-secret',
    `the factor "${same.name}" of this account is this very credential; remove it first`,
  );
}
