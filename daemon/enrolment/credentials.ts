import type { FactorRecord } from '../factors/kinds.ts';
import { credentialOf } from '../factors/kinds.ts';
import { SallyportError } from '../lib/errors.ts';

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
