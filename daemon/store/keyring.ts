import { createHmac, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import { closeSync, existsSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../errors.ts';
import { createDurably, type FileOwner } from './durable.ts';
import { storeError, systemCode } from './error.ts';

/** What a derived key is for. No key serves two purposes. */
export type Purpose = 'record' | 'marker' | 'audit' | 'meta' | 'anchor' | 'recovery' | 'throttle' | 'config';

/** HMAC-SHA256 over salt and text, unambiguously joined, under a key that is derived from a master key. */
export interface KeyedHash {
  /** The id of the master key for new hashes. */
  readonly keyId: string;
  /** @throws store-key when the master key file has no such key */
  of(keyId: string, salt: Buffer, text: string): Buffer;
}

/** The master keys: the current one, and older ones that can still be read. */
export interface Keyring {
  /** The id of the key that new records are sealed with. */
  readonly current: string;
  has(keyId: string): boolean;
  /** @throws store-key when the master key file has no such key */
  key(purpose: Purpose, keyId: string): KeyObject;
  /** For recovery keys and for names that nobody proved. */
  keyedHash(purpose: 'recovery' | 'throttle'): KeyedHash;
}

const HEADER = '# Sallyport master keys. Whoever can read this file can read every seed.';
const KEY_BYTES = 32;
const KEY_ID = /^[A-Za-z0-9_-]{1,32}$/;
const KEY_TEXT = /^[A-Za-z0-9+/]{43}=$/;

/**
 * MUST hold here:
 * - the file that is judged is the file that is read (one descriptor);
 * - a key that others can read or write is refused, never mended;
 * - no message holds a byte of the file.
 */
export function loadKeyring(options: { readonly path: string; readonly credentials?: string }): Keyring {
  const credential = options.credentials ? join(options.credentials, 'master.key') : undefined;
  const fromCredential = credential !== undefined && existsSync(credential);
  const path = fromCredential ? credential : options.path;
  return parseKeyring(readKeyFile(path, fromCredential), path);
}

/** Makes a new master key, durable before it returns; an existing file is never touched. */
export function createMasterKey(path: string, owner?: FileOwner): void {
  const id = randomBytes(4).toString('hex');
  const text = `${HEADER}\n${id} ${randomBytes(KEY_BYTES).toString('base64')}\n`;
  try {
    createDurably(path, Buffer.from(text), owner);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') {
      throw storeError('store-key', `Cannot create the master key ${path}: ${messageOf(error)}.`, error);
    }
    throw storeError(
      'store-exists',
      `There is a master key in ${path} already. It was left as it is: records sealed with it can be read with it alone.`,
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
    // systemd guards $CREDENTIALS_DIRECTORY by the folder's own mode and ACL.
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
        'Think about who may have read it, then run: chmod 0600 ' +
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

function parseKeyring(text: string, path: string): Keyring {
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
  const [current] = keys.keys();
  if (current === undefined) {
    throw storeError('store-key', `The master key ${path} holds no key. Put it back from its backup.`);
  }
  return keyringOf(keys, current, path);
}

function keyringOf(masters: ReadonlyMap<string, Buffer>, current: string, path: string): Keyring {
  const derived = new Map<string, KeyObject>();

  function key(purpose: Purpose, keyId: string): KeyObject {
    const info = `sallyport/1/${purpose}/${keyId}`;
    const known = derived.get(info);
    if (known) return known;
    const master = masters.get(keyId);
    if (!master) {
      throw storeError(
        'store-key',
        `Sealed with master key ${keyId}, which ${path} does not hold (it holds ${[...masters.keys()].join(', ')}). Put that key back.`,
      );
    }
    const fresh = createSecretKey(Buffer.from(hkdfSync('sha256', master, '', info, KEY_BYTES)));
    derived.set(info, fresh);
    return fresh;
  }

  return {
    current,
    has: (keyId) => masters.has(keyId),
    key,
    keyedHash: (purpose) => ({
      keyId: current,
      of(keyId, salt, text) {
        const length = Buffer.allocUnsafe(4);
        length.writeUInt32BE(salt.length);
        const hmac = createHmac('sha256', key(purpose, keyId));
        return hmac.update(length).update(salt).update(text, 'utf8').digest();
      },
    }),
  };
}
