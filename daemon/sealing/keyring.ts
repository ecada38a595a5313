import { createHmac, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import { closeSync, existsSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type SealingKey, sealingAddon } from '../host/addon.ts';
import { createDurably, type FileOwner } from '../lib/durable.ts';
import { messageOf } from '../lib/errors.ts';
import { storeError, systemCode } from './error.ts';

/** The purpose of a derived key. Each purpose has its own key. */
export type Purpose =
  | 'record'
  | 'marker'
  | 'audit'
  | 'meta'
  | 'anchor'
  | 'recovery'
  | 'hash-key'
  | 'backup'
  | 'throttle'
  | 'config';

/** HMAC-SHA256 over salt and text, unambiguously joined, under a key that is derived from a master key. */
export interface KeyedHash {
  /** The id of the master key for new hashes. */
  readonly keyId: string;
  /** @throws store-key when the master key file has no such key */
  of(keyId: string, salt: Buffer, text: string): Buffer;
}

/** The master keys: the current one, and older ones that can still be read. */
export interface Keyring {
  /** The id of the key that new records are encrypted with. */
  readonly current: string;
  /** All keys, the current one first. */
  readonly ids: readonly string[];
  /** The file that they came from. */
  readonly source: KeySource;
  /** When these keys were read from their file; milliseconds since the epoch. */
  readonly read: number;
  has(keyId: string): boolean;
  /** @throws store-key when the master key file has no such key */
  key(purpose: Purpose, keyId: string): KeyObject;
  /** The same key for the addon. @throws store-key */
  sealingKey(purpose: Purpose, keyId: string): SealingKey;
  /** For recovery keys and for names from unverified logins. */
  keyedHash(purpose: 'recovery' | 'throttle'): KeyedHash;
  /** The text of the file: only for a backup that includes it. */
  text(): string;
  /** Replaces the keys for all users of this keyring. Hash keys of recovery keys stay known. */
  adopt(other: Keyring): void;
  /** The key that recovery keys were hashed with under that master key; undefined if unknown. */
  recoveryKey(keyId: string): KeyObject | undefined;
  /** Adds the hash key of a master key that may be gone: recovery sets that were hashed with it stay usable. */
  addRecoveryKey(keyId: string, key: Buffer): void;
}

export interface KeySource {
  readonly path: string;
  /** Passed on by the service manager: the daemon cannot read a newer one until it is restarted. */
  readonly credential: boolean;
}

const HEADER = '# Sallyport master keys. Anyone who can read this file can read every seed.';
const KEY_BYTES = 32;
const KEY_ID = /^[A-Za-z0-9_-]{1,32}$/;
const KEY_TEXT = /^[A-Za-z0-9+/]{43}=$/;

/**
 * Invariants:
 * - the file that is verified is the file that is read (one descriptor);
 * - a key that others can read or write is rejected, never repaired;
 * - no message holds a byte of the file.
 */
export function loadKeyring(options: { readonly path: string; readonly credentials?: string }): Keyring {
  const credential = options.credentials ? join(options.credentials, 'master.key') : undefined;
  const fromCredential = credential !== undefined && existsSync(credential);
  const path = fromCredential ? credential : options.path;
  return parseKeyring(readKeyFile(path, fromCredential), { path, credential: fromCredential });
}

interface MasterKey {
  readonly id: string;
  readonly bytes: Buffer;
}

export function newMasterKey(): MasterKey {
  return { id: randomBytes(4).toString('hex'), bytes: randomBytes(KEY_BYTES) };
}

/** A line for each key; the first is the current one. */
export function keyFileText(keys: readonly MasterKey[]): string {
  return `${[HEADER, ...keys.map(({ id, bytes }) => `${id} ${bytes.toString('base64')}`)].join('\n')}\n`;
}

/** Creates a new master key, durable before it returns; an existing file is never changed. */
export function createMasterKey(path: string, owner?: FileOwner): void {
  const text = keyFileText([newMasterKey()]);
  try {
    createDurably(path, Buffer.from(text), owner);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') {
      throw storeError('store-key', `Cannot create the master key ${path}: ${messageOf(error)}.`, error);
    }
    throw storeError(
      'store-exists',
      `There is already a master key in ${path}. Nothing was changed: records encrypted with it can only be read with it.`,
    );
  }
}

function readKeyFile(path: string, fromCredential: boolean): string {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw storeError(
      'store-key',
      `Cannot read the master key ${path}: ${messageOf(error)}. Put it back from its backup; without it no record can be read.`,
      error,
    );
  }
  try {
    // systemd protects $CREDENTIALS_DIRECTORY by the directory's own mode and ACL.
    if (!fromCredential) refuseOpenToOthers(fd, path);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

function refuseOpenToOthers(fd: number, path: string): void {
  const { mode, uid } = fstatSync(fd);
  const self = process.geteuid?.() ?? 0;
  if ((mode & 0o077) !== 0) {
    throw storeError(
      'store-key',
      `The master key ${path} has mode ${(mode & 0o777).toString(8).padStart(4, '0')}: others can use it. ` +
        'Consider who may have read it, then run: chmod 0600 ' +
        path,
    );
  }
  if (uid !== self && uid !== 0) {
    throw storeError(
      'store-key',
      `The master key ${path} belongs to uid ${uid}, who can read and replace it. It must belong to uid ${self} or 0.`,
    );
  }
}

/** @throws store-key */
export function parseKeyring(text: string, source: KeySource): Keyring {
  const { path } = source;
  return keyringOf(parseKeys(text, path), source);
}

/** The keys of both, the current key of the first. @throws store-key if one id names two keys */
export function mergedKeyring(first: Keyring, second: Keyring): Keyring {
  const path = first.source.path;
  const keys = new Map(parseKeys(first.text(), path));
  for (const [id, bytes] of parseKeys(second.text(), path)) {
    if (keys.get(id)?.equals(bytes) === false)
      throw storeError('store-key', `Two master keys have the id ${id}. Nothing was changed.`);
    keys.set(id, bytes);
  }
  return keyringOf(keys, first.source);
}

function parseKeys(text: string, path: string): ReadonlyMap<string, Buffer> {
  const keys = new Map<string, Buffer>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [id = '', key = '', ...rest] = line.trim().split(/ +/);
    if (!KEY_ID.test(id) || !KEY_TEXT.test(key) || rest.length > 0 || keys.has(id)) {
      throw storeError(
        'store-key',
        `The master key ${path} is malformed in line ${index + 1}: a line is KEYID BASE64, with 32 bytes in base64 and no id twice. Put it back from its backup.`,
      );
    }
    keys.set(id, Buffer.from(key, 'base64'));
  }
  if (keys.size === 0) {
    throw storeError('store-key', `The master key ${path} holds no key. Put it back from its backup.`);
  }
  return keys;
}

function saltedHash(key: KeyObject, salt: Buffer, text: string): Buffer {
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(salt.length);
  return createHmac('sha256', key).update(length).update(salt).update(text, 'utf8').digest();
}

/** An id names one key forever. @throws store-key */
function refuseOthers(
  masters: ReadonlyMap<string, Buffer>,
  fresh: ReadonlyMap<string, Buffer>,
  source: KeySource,
): void {
  for (const [id, bytes] of fresh)
    if (masters.get(id)?.equals(bytes) === false)
      throw storeError(
        'store-key',
        `The master key ${id} in ${source.path} has changed. Restore the previous one.`,
      );
}

interface Derivation {
  readonly purpose: Purpose;
  readonly keyId: string;
  readonly masters: ReadonlyMap<string, Buffer>;
  readonly source: KeySource;
}

/** From the known ones, or derived, made and known from then on; its bytes are wiped. @throws store-key */
function derivedKey<Key>(
  known: Map<string, Key>,
  { purpose, keyId, masters, source }: Derivation,
  make: (bytes: Buffer) => Key,
): Key {
  const info = `sallyport/1/${purpose}/${keyId}`;
  const before = known.get(info);
  if (before) return before;
  const master = masters.get(keyId);
  if (!master)
    throw storeError(
      'store-key',
      `Sealed with master key ${keyId}, which ${source.path} does not hold (it holds ${[...masters.keys()].join(', ')}). Put that key back.`,
    );
  const bytes = Buffer.from(hkdfSync('sha256', master, '', info, KEY_BYTES));
  try {
    const fresh = make(bytes);
    known.set(info, fresh);
    return fresh;
  } finally {
    bytes.fill(0);
  }
}

function keyringOf(first: ReadonlyMap<string, Buffer>, source: KeySource): Keyring {
  let masters = first;
  let read = Date.now();
  const derived = new Map<string, KeyObject>();
  const sealingKeys = new Map<string, SealingKey>();
  const recoveryKeys = new Map<string, KeyObject>();
  const current = (): string => [...masters.keys()][0] ?? '';

  const key = (purpose: Purpose, keyId: string): KeyObject =>
    derivedKey(derived, { purpose, keyId, masters, source }, (bytes) => createSecretKey(bytes));
  const sealingKey = (purpose: Purpose, keyId: string): SealingKey =>
    derivedKey(sealingKeys, { purpose, keyId, masters, source }, (bytes) =>
      sealingAddon().sealingKey(purpose, bytes),
    );

  const recoveryKey = (keyId: string): KeyObject | undefined =>
    masters.has(keyId) ? key('recovery', keyId) : recoveryKeys.get(keyId);
  const hashKey = (purpose: 'recovery' | 'throttle', keyId: string): KeyObject =>
    (purpose === 'recovery' ? recoveryKey(keyId) : undefined) ?? key(purpose, keyId);

  return {
    source,
    get read() {
      return read;
    },
    get current() {
      return current();
    },
    get ids() {
      return [...masters.keys()];
    },
    has: (keyId) => masters.has(keyId),
    key,
    sealingKey,
    keyedHash: (purpose) => ({
      get keyId() {
        return current();
      },
      of: (keyId, salt, text) => saltedHash(hashKey(purpose, keyId), salt, text),
    }),
    text: () => keyFileText([...masters].map(([id, bytes]) => ({ id, bytes }))),
    adopt(other) {
      for (const id of masters.keys()) recoveryKeys.set(id, key('recovery', id));
      const fresh = parseKeys(other.text(), source.path);
      refuseOthers(masters, fresh, source);
      masters = fresh;
      read = other.read;
      derived.clear();
      sealingKeys.clear();
    },
    recoveryKey,
    addRecoveryKey: (keyId, bytes) => void recoveryKeys.set(keyId, createSecretKey(bytes)),
  };
}
