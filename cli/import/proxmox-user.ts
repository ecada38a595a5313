import type { ImportEntry, PortableFactor } from '../../daemon/api/account-views.ts';
import { readPublicId, readU2f } from '../../daemon/client/factor-input.ts';
import { ImportError, isObject, type Json, type JsonObject, type Unsupported } from './contract.ts';
import { readOtpauth } from './otpauth.ts';
import { readWebauthn } from './proxmox-key.ts';

interface Settings {
  readonly rpId?: string;
  readonly appId?: string;
}

interface User {
  readonly factors: readonly PortableFactor[];
  readonly cannot: readonly Unsupported[];
  readonly lock?: ImportEntry['lock'];
}

/** Fields that every entry has. */
interface Base {
  readonly name?: string;
  readonly created?: number;
  readonly enabled: boolean;
}

/** @throws ImportError if an entry cannot be read: nothing of this user is imported */
export function readUser(value: Json, name: string, settings: Settings): User {
  if (!isObject(value)) throw new ImportError('the entry is not a user');
  const strange = Object.keys(value).find((key) => !known.has(key));
  if (strange !== undefined)
    throw new ImportError('the entry has an unknown field; update Sallyport, or enrol the factors again');
  const cannot: Unsupported[] = [];
  const factors: PortableFactor[] = [
    ...entriesOf(value, 'totp').map(({ base, entry }) => totp(base, entry)),
    ...entriesOf(value, 'yubico').map(({ base, entry }): PortableFactor => yubico(base, entry)),
    ...entriesOf(value, 'u2f').flatMap(({ base, entry }): PortableFactor[] => {
      if (settings.appId !== undefined) return [u2f(base, entry, settings.appId)];
      cannot.push(unsaid(base, 'U2F key', '--app-id with the appid of u2f', name));
      return [];
    }),
    ...entriesOf(value, 'webauthn').flatMap(({ base, entry }): PortableFactor[] => {
      if (settings.rpId !== undefined) return [{ ...base, ...readWebauthn(entry, settings.rpId) }];
      cannot.push(unsaid(base, 'security key', '--rp-id with the id of webauthn', name));
      return [];
    }),
  ];
  if (value.recovery !== undefined && value.recovery !== null) factors.push(recovery(value.recovery));
  const until = value['tfa-locked-until'];
  const codes = value['totp-locked'] === true;
  const isLocked = codes || typeof until === 'number';
  const lock = {
    codes,
    ...(typeof until === 'number' && until >= 0 ? { until: Math.floor(until * 1_000) } : {}),
  };
  return { factors, cannot, ...(isLocked ? { lock } : {}) };
}

const known = new Set(['totp', 'u2f', 'webauthn', 'recovery', 'yubico', 'totp-locked', 'tfa-locked-until']);

function unsaid({ name }: Base, kind: string, option: string, user: string): Unsupported {
  return {
    what: name === undefined ? kind : `${kind} "${name}"`,
    why: `the file does not name its relying party; give ${option} in datacenter.cfg, or enrol the key again: sallyport factor add webauthn ${user}`,
  };
}

function entriesOf(user: JsonObject, kind: string): readonly { readonly base: Base; readonly entry: Json }[] {
  const list = user[kind] ?? [];
  if (!Array.isArray(list)) throw new ImportError(`${kind} is not a list`);
  return (list as readonly Json[]).map((one) => {
    if (!isObject(one) || one.entry === undefined) throw new ImportError(`an entry of ${kind} is malformed`);
    const { description, created, enable, entry } = one;
    return {
      base: {
        enabled: enable !== false,
        ...(typeof description === 'string' && description !== '' ? { name: description.slice(0, 255) } : {}),
        ...(typeof created === 'number' && created > 0 ? { created: Math.floor(created * 1_000) } : {}),
      },
      entry,
    };
  });
}

function totp(base: Base, entry: Json): PortableFactor {
  const uri = isObject(entry) ? entry.totp : entry;
  const last = isObject(entry) ? entry['last-count'] : undefined;
  const token = tokenOf(uri);
  if (token?.kind !== 'totp') throw new ImportError('a TOTP entry has no valid otpauth:// URI');
  // Missing before its first login: Proxmox does not store the code used at enrolment.
  const mark = typeof last === 'number' ? Math.max(-1, Math.floor(last)) : 'now';
  return { ...token, ...base, mark };
}

function tokenOf(uri: Json | undefined): PortableFactor | undefined {
  try {
    return typeof uri === 'string' ? readOtpauth(uri).token : undefined;
  } catch {
    return undefined;
  }
}

function yubico(base: Base, entry: Json): PortableFactor {
  try {
    return { ...base, kind: 'yubikey', validation: 'cloud', publicId: readPublicId(String(entry)) };
  } catch {
    throw new ImportError('a Yubico entry is not a public id');
  }
}

function recovery(value: Json): PortableFactor {
  const { secret, entries, created } = isObject(value) ? value : {};
  const hashes = (Array.isArray(entries) ? entries : []) as readonly Json[];
  const isSet = (hash: Json) => hash === null || (typeof hash === 'string' && /^[0-9a-f]{64}$/i.test(hash));
  if (typeof secret !== 'string' || !/^[0-9a-f]{16}$/i.test(secret) || !hashes.every(isSet))
    throw new ImportError('the recovery keys have an unknown format');
  return {
    kind: 'recovery',
    enabled: true,
    secret,
    hashes: hashes.map((hash) => (typeof hash === 'string' ? hash : null)),
    ...(typeof created === 'number' && created > 0 ? { created: Math.floor(created * 1_000) } : {}),
  };
}

function u2f(base: Base, entry: Json, appId: string): PortableFactor {
  const key = isObject(entry) ? entry.key : undefined;
  const handle = isObject(key) ? key.keyHandle : undefined;
  const point = isObject(entry) ? entry['public-key'] : undefined;
  try {
    return { ...base, kind: 'u2f', ...readU2f(`${handle},${point}`, appId) };
  } catch {
    throw new ImportError('a U2F entry is not a key handle and public key');
  }
}
