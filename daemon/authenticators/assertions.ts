import type { VerifiedAuthenticationResponse } from '@simplewebauthn/server';
import type { Assertion, Credential, Signed, SignedFacts } from '../factors/contract.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import { credentialOf } from '../factors/kinds.ts';
import { Outside } from '../lib/account-mutex.ts';
import { messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { limits } from '../limits.ts';

/** Verifies the signatures of security keys for the evaluation, which is synchronous. */
export interface Assertions {
  /**
   * What the signature in an assertion proves, if one of the factors made it.
   * @returns waited: true if the verification was asynchronous, so that records read before are stale
   */
  of(
    assertion: Assertion,
    factors: readonly FactorRecord[],
  ): Promise<{ readonly signed?: Signed; readonly waited: boolean }>;
  /** A security key is about to be touched: loads what the verification needs, a moment later. */
  prepare(): void;
  /** The verification to run first; undefined if none is needed, or it is done already. */
  needed(assertion: Assertion, factors: readonly FactorRecord[]): Outside | undefined;
}

/** @returns undefined if it proves nothing. May throw, with the same meaning. */
export type CheckSignature = (
  assertion: Assertion,
  credential: Credential,
) => Promise<SignedFacts | undefined>;

/**
 * Invariants:
 * - the result of a verification counts only for the key it was made with: a record whose key was changed meanwhile
 *   proves nothing;
 * - any error of the verification means no;
 * - an assertion is verified once, however often the decision is repeated.
 *
 * @param load makes a first verification as fast as others
 */
export function createAssertions(
  log: Log,
  check: CheckSignature = checkSignature,
  load: () => Promise<unknown> = loadLibrary,
): Assertions {
  let isPrepared = false;
  const known = new WeakMap<Assertion, Signed>();
  const madeBy = (assertion: Assertion, factors: readonly FactorRecord[]) => {
    const factor = factors.find((one) => credentialOf(one)?.credentialId === assertion.credentialId);
    const credential = factor && credentialOf(factor);
    return factor === undefined || credential === undefined ? undefined : { id: factor.id, credential };
  };
  const assertions: Assertions = {
    prepare() {
      // What fails here fails again, and is reported, in the verification.
      if (!isPrepared) setTimeout(() => load().catch(() => undefined), limits.keyLibraryDelay).unref();
      isPrepared = true;
    },
    needed(assertion, factors) {
      if (known.has(assertion) || madeBy(assertion, factors) === undefined) return undefined;
      return new Outside(() => assertions.of(assertion, factors));
    },
    async of(assertion, factors) {
      const before = known.get(assertion);
      if (before !== undefined) return { signed: before, waited: false };
      const made = madeBy(assertion, factors);
      if (made === undefined) return { waited: false };
      const { id, credential: checked } = made;
      let facts: SignedFacts | undefined;
      try {
        facts = await check(assertion, checked);
      } catch (error) {
        log.warning('assertion-refused', { factor: id, message: messageOf(error) });
      }
      const signed: Signed = (asked, record) =>
        asked === assertion && isSameKey(record, checked) ? facts : undefined;
      known.set(assertion, signed);
      return { signed, waited: true };
    },
  };
  return assertions;
}

function isSameKey(a: Credential, b: Credential): boolean {
  return (
    a.publicKey === b.publicKey && a.credentialId === b.credentialId && a.relyingParty === b.relyingParty
  );
}

/** It takes 0.2 s and 28 MB, which a machine without security keys need not pay. */
function loadLibrary(): Promise<typeof import('@simplewebauthn/server')> {
  return import('@simplewebauthn/server');
}

/*
 * W3C Web Authentication Level 3, 7.2, by a library that covers its details.
 *
 * - The credential's id must be ours: the library does not compare it. `of` found the record by it.
 * - Type, challenge, origin, relying party, user presence and signature must be right, or the library throws or
 *   returns false.
 * - The counter is left to the factor: the library evaluates it before the signature, so that it can be forged.
 * - User verification is left to the factor too, which knows what the realm requires.
 */
async function checkSignature(
  assertion: Assertion,
  { credentialId, publicKey, relyingParty }: Credential,
): Promise<SignedFacts | undefined> {
  const { verifyAuthenticationResponse } = await loadLibrary();
  const { verified, authenticationInfo }: VerifiedAuthenticationResponse = await verifyAuthenticationResponse(
    {
      response: {
        id: assertion.credentialId,
        rawId: assertion.credentialId,
        type: 'public-key',
        clientExtensionResults: {},
        response: {
          clientDataJSON: assertion.clientDataJSON.toString('base64url'),
          authenticatorData: assertion.authenticatorData.toString('base64url'),
          signature: assertion.signature.toString('base64url'),
        },
      },
      expectedChallenge: assertion.challenge,
      expectedOrigin: [assertion.origin],
      expectedRPID: [relyingParty],
      credential: {
        id: credentialId,
        publicKey: new Uint8Array(Buffer.from(publicKey, 'base64')),
        counter: 0,
      },
      requireUserVerification: false,
    },
  );
  if (!verified) return undefined;
  return { counter: authenticationInfo.newCounter, userVerified: authenticationInfo.userVerified };
}
