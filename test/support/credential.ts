import type { SecurityKey } from '../../daemon/factors/contract.ts';
import { credentialOf } from '../../daemon/factors/kinds.ts';
import type { U2fRecord } from '../../daemon/factors/u2f.ts';
import type { WebauthnRecord } from '../../daemon/factors/webauthn.ts';

export type CredentialRecord = WebauthnRecord | U2fRecord;

/** A record of a security key, as it is asked. */
export function keyOf(record: CredentialRecord): SecurityKey {
  const key = credentialOf(record);
  if (key === undefined) throw new Error(`${record.kind} is no security key`);
  return key;
}
