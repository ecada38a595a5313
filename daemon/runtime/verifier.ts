import { createFactorEnrolment } from '../enrolment/add-factor.ts';
import { createAccountMutex } from '../lib/account-mutex.ts';
import { AuditedStore } from '../verifier/audited-store.ts';
import type { Verifier, VerifierOptions } from '../verifier/contract.ts';
import { createLogins } from '../verifier/verifier.ts';
import { createCodeVerification } from '../verifier/verify-code.ts';

/**
 * Every way in which a factor is verified: logins, `sallyport verify` and adding one.
 *
 * Invariant: all of them share one mutex for each account, so that one account's codes are verified one after the
 * other, whichever way they come.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const parts = {
    ...options,
    auditedStore: new AuditedStore(options.store, options.log),
    accountMutex: createAccountMutex(),
  };
  return { ...createLogins(parts), ...createCodeVerification(parts), ...createFactorEnrolment(parts) };
}
