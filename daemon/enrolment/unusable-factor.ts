import type { Realm } from '../config/contract.ts';
import { lockoutAt } from '../policy/lockout.ts';
import type { AccountRecord } from '../store/contract.ts';
import type { EnrolRequest } from '../verifier/contract.ts';
import { idleSshSk } from './ssh-enrolment.ts';

/** Why a factor that was just added lets nobody in as things stand; undefined: it does. */
export function unusableReason(
  { kind }: Pick<EnrolRequest, 'kind'>,
  realm: Realm,
  { account, lock }: AccountRecord,
  now: number,
): string | undefined {
  if (kind === 'ssh-sk') return idleSshSk(realm);
  if (kind !== 'bypass' || lockoutAt(lock, realm.lockout, now) === 'none') return undefined;
  return `typed codes of ${account} are locked, and this is one: sallyport user unlock ${account}`;
}
