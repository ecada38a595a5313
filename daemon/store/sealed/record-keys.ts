/**
 * The layout of the key space. The record of an account and its marker are far apart, with the audit trail
 * between them, so that one damaged block cannot affect both (design, rule 4).
 */
const RECORD = 0x10;
const META = 0x20;
const HASH_KEY = 0x21;
const EVENT = 0x30;
/** Index of events that are beyond the share of their account, which are dropped first; its values are empty. */
const OVER_SHARE = 0x31;
const MARKER = 0x40;

/** The purpose that an entry is sealed for; undefined: the store's meta record, and unknown keys. */
export function purposeOf(key: Buffer): 'record' | 'marker' | 'audit' | 'hash-key' | undefined {
  switch (key[0]) {
    case RECORD:
      return 'record';
    case MARKER:
      return 'marker';
    case EVENT:
      return 'audit';
    case HASH_KEY:
      return 'hash-key';
    default:
      return undefined;
  }
}

export interface KeyRange {
  readonly gte: Buffer;
  readonly lt: Buffer;
}

export const metaKey = Buffer.from([META]);

export function recordKey(account: string): Buffer {
  return named(RECORD, account);
}

export function markerKey(account: string): Buffer {
  return named(MARKER, account);
}

export function eventKey(seq: number): Buffer {
  return placed(EVENT, seq);
}

export function overShareKey(seq: number): Buffer {
  return placed(OVER_SHARE, seq);
}

function placed(prefix: number, seq: number): Buffer {
  const key = Buffer.allocUnsafe(9);
  key[0] = prefix;
  key.writeBigUInt64BE(BigInt(seq), 1);
  return key;
}

export function seqOf(key: Buffer): number {
  return Number(key.readBigUInt64BE(1));
}

/** The name in the key of a record or a marker, as bytes, which sort in the order of names. */
export function nameOf(key: Buffer): Buffer {
  return key.subarray(1);
}

/**
 * Name of a YubiKey counter record in the key space of accounts. No account's name begins with NUL
 * (host/accounts.ts), and the tag of a record covers its key: neither kind can be substituted for the other.
 */
export function tokenName(token: string): string {
  return `\0yubikey:${token}`;
}

export function isTokenName(name: string): boolean {
  return name.startsWith('\0');
}

/** Name for messages. */
export function displayName(name: string): string {
  return isTokenName(name) ? `the YubiKey ${name.slice(tokenName('').length)}` : name;
}

/** After all YubiKey counter records and before all accounts. */
const endOfTokens = Buffer.from([0x00, 0xff]);

/** Where a list of accounts that has reached this name continues; it never includes YubiKey counter records. */
export function afterYubikeyRecords(name = ''): Buffer {
  const after = Buffer.from(name);
  return after.compare(endOfTokens) < 0 ? endOfTokens : after;
}

/** Key of a hash key that recovery sets were hashed with; its master key may have been removed. */
export function hashKeyKey(keyId: string): Buffer {
  return named(HASH_KEY, keyId);
}

export const hashKeyRange = range(HASH_KEY);
export const recordRange = range(RECORD);
export const overShareRange = range(OVER_SHARE);
export const markerRange = range(MARKER);
export const eventRange = range(EVENT);

function range(prefix: number): KeyRange {
  return { gte: Buffer.from([prefix]), lt: Buffer.from([prefix + 1]) };
}

function named(prefix: number, account: string): Buffer {
  const length = Buffer.byteLength(account);
  const key = Buffer.allocUnsafe(1 + length);
  key[0] = prefix;
  key.write(account, 1);
  return key;
}
