import type { Realm } from '../config/contract.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import { readSshSkKey, type SshSkKey } from '../factors/ssh-key.ts';
import { SallyportError } from '../lib/errors.ts';
import { lockoutAt } from '../policy/lockout.ts';
import type { AccountRecord } from '../store/contract.ts';
import type { EnrolRequest } from '../verifier/contract.ts';

/**
 * The key that is to be added. It needs no verification by a code: the stored key is public and opens no login, and
 * without the private key sshd refuses first.
 *
 * @param kept the factors that the account has already
 * @throws SallyportError `bad-key`
 */
export function newSshSk(publicKey: string, kept: readonly FactorRecord[]): SshSkKey {
  const key = readSshSkKey(publicKey);
  const same = kept.find((other) => other.kind === 'ssh-sk' && other.publicKey === key.publicKey);
  if (same === undefined) return key;
  throw new SallyportError(
    'bad-key',
    `the factor "${same.name}" of this account is the same key${same.enabled ? '' : ', and disabled'}; ${same.enabled ? 'nothing to add' : 'enable it instead'}`,
  );
}

/** Why this realm does not accept the key, and the rule that would; undefined if a rule accepts it. */
export function idleSshSk(realm: Realm): string | undefined {
  if (realm.rules.some(({ action }) => action.kind === 'accept')) return undefined;
  const { name, require, webauthn } = realm;
  if (webauthn.models !== undefined)
    return `the realm "${name}" allows only certain models of security keys (webauthn.aaguids), and an SSH key does not report its model, so it is not accepted there`;
  const rule = '[[realm.rule]] services = ["sshd"] action = { accept = "ssh-sk" }';
  const isMet = require === 'none' || require === 'any' || require.includes('webauthn');
  const also = isMet ? '' : ', and add "webauthn" to its require';
  return `no rule of the realm "${name}" accepts ssh-sk, so this key is not accepted; add to that realm: ${rule}${also}`;
}

/** Why a factor that was just added cannot be used at present; undefined if usable. */
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
