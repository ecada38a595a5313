import type { Realm } from '../config/contract.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import { readSshSkKey, type SshSkKey } from '../factors/ssh-key.ts';
import { SallyportError } from '../lib/errors.ts';
import { lockoutAt } from '../policy/lockout.ts';
import type { AccountRecord } from '../store/contract.ts';
import type { EnrolRequest } from '../verifier/contract.ts';

/**
 * The key that is to be added. No code proves it, and none is needed: what is stored is public, it lets nobody
 * in by itself, and whoever does not hold the key meets sshd's refusal before ours.
 *
 * @param kept what the account has already
 * @throws SallyportError `bad-key`
 */
export function newSshSk(publicKey: string, kept: readonly FactorRecord[]): SshSkKey {
  const key = readSshSkKey(publicKey);
  const same = kept.find((other) => other.kind === 'ssh-sk' && other.publicKey === key.publicKey);
  if (same === undefined) return key;
  throw new SallyportError(
    'bad-key',
    `the factor "${same.name}" of this account is this very key${same.enabled ? '' : ', and disabled'}; ${same.enabled ? 'nothing is to be added' : 'enable it instead'}`,
  );
}

/** Why a key counts for nothing in this realm, and what to write so that it does; undefined: a rule accepts it. */
export function idleSshSk(realm: Realm): string | undefined {
  if (realm.rules.some(({ action }) => action.kind === 'accept')) return undefined;
  const { name, require, webauthn } = realm;
  if (webauthn.models !== undefined)
    return `the realm "${name}" allows certain models of security keys alone (webauthn.aaguids), and a key of ssh does not say which it is, so it counts for nothing there`;
  const rule = '[[realm.rule]] services = ["sshd"] action = { accept = "ssh-sk" }';
  const isMet = require === 'none' || require === 'any' || require.includes('webauthn');
  const also = isMet ? '' : ', and add "webauthn" to its require';
  return `no rule of the realm "${name}" accepts ssh-sk, so this key counts for nothing; write under that realm ${rule}${also}`;
}

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
