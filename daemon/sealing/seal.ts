import { randomBytes } from 'node:crypto';
import { sealingAddon } from '../host/addon.ts';
import { storeError } from './error.ts';
import type { Keyring, Purpose } from './keyring.ts';

/**
 * The envelope around everything at rest (AES-256-GCM, NIST SP 800-38D; native/addon/sealing.cc):
 *
 *   u8 schema | u8 length of the key id | key id | u64 version | 12 bytes nonce | ciphertext | 16 bytes tag
 *
 * Invariants:
 * - the tag covers purpose, the record's full key, schema, key id and version, so that no envelope can be
 *   moved to another location, another account or another time;
 * - no nonce is used twice with one key;
 * - no plaintext is returned before the tag is verified.
 */
export interface Sealer {
  seal(purpose: SealPurpose, key: Buffer, version: number, plaintext: Buffer): Buffer;
  /** @throws record-damaged, store-schema, store-key */
  open(purpose: SealPurpose, key: Buffer, envelope: Buffer): Opened;
}

export type SealPurpose = Exclude<Purpose, 'anchor' | 'recovery' | 'backup' | 'throttle'>;

export interface Opened {
  readonly version: number;
  readonly plaintext: Buffer;
}

/**
 * The schema of everything encrypted. 2: records keep the uid of their account. Older schemas can be read; an older
 * Sallyport refuses to open a store that this one has written to, instead of reporting its records as damaged.
 */
export const sealSchema = 2;
const SCHEMA = sealSchema;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HMAC_BYTES = 32;
/** Of a header without its key id. */
const HEADER_BYTES = 10;
/** The upper bound of a version (exclusive): above it a number is not exact. */
const HIGH = 2 ** 32;

export function createSealer(keyring: Keyring): Sealer {
  const nonces = createNonces();
  const { sealWith, openWith } = sealingAddon();

  function seal(purpose: SealPurpose, key: Buffer, version: number, plaintext: Buffer): Buffer {
    const { current } = keyring;
    const headerLength = HEADER_BYTES + current.length;
    const envelope = Buffer.allocUnsafe(headerLength + NONCE_BYTES + plaintext.length + TAG_BYTES);
    writeHeader(envelope, current, version);
    nonces.next(envelope, headerLength);
    sealWith(keyring.sealingKey(purpose, current), key, envelope, headerLength, plaintext);
    return envelope;
  }

  function open(purpose: SealPurpose, key: Buffer, envelope: Buffer): Opened {
    const { headerLength, keyId, version } = readHeader(envelope);
    const plaintext = Buffer.allocUnsafe(envelope.length - headerLength - NONCE_BYTES - TAG_BYTES);
    if (!openWith(keyring.sealingKey(purpose, keyId), key, envelope, headerLength, plaintext)) {
      throw damaged('its authentication tag is wrong');
    }
    return { version, plaintext };
  }

  return { seal, open };
}

/** HMAC-SHA256. */
export function hmacOf(key: Buffer, data: Buffer): Buffer {
  const hash = Buffer.allocUnsafe(HMAC_BYTES);
  sealingAddon().hmacSha256(key, data, hash);
  return hash;
}

/** The version that an envelope claims; its tag is not verified. undefined if it is not an envelope. */
export function claimedVersion(envelope: Buffer): number | undefined {
  const idLength = envelope[1];
  if (idLength === undefined || envelope.length < HEADER_BYTES + idLength) return undefined;
  return envelope.readUInt32BE(2 + idLength) * HIGH + envelope.readUInt32BE(6 + idLength);
}

/** The master key that an envelope names; its tag is not verified. */
export function claimedKey(envelope: Buffer): string | undefined {
  const idLength = envelope[1];
  if (idLength === undefined || envelope.length < HEADER_BYTES + idLength) return undefined;
  return envelope.toString('latin1', 2, 2 + idLength);
}

function writeHeader(envelope: Buffer, keyId: string, version: number): void {
  envelope[0] = SCHEMA;
  envelope[1] = keyId.length;
  envelope.write(keyId, 2, 'latin1');
  envelope.writeUInt32BE(Math.floor(version / HIGH), 2 + keyId.length);
  envelope.writeUInt32BE(version % HIGH, 6 + keyId.length);
}

function readHeader(envelope: Buffer): { headerLength: number; keyId: string; version: number } {
  const [schema, idLength] = envelope;
  if (schema === undefined || idLength === undefined) throw damaged('it is cut off');
  if (schema > SCHEMA) {
    throw storeError(
      'store-schema',
      `Written by a newer Sallyport (schema ${schema}, this one reads up to ${SCHEMA}). Nothing was changed; install the newer version again.`,
    );
  }
  const headerLength = HEADER_BYTES + idLength;
  const version = claimedVersion(envelope);
  if (schema < 1 || version === undefined || envelope.length < headerLength + NONCE_BYTES + TAG_BYTES) {
    throw damaged('it is not an encrypted record');
  }
  return { headerLength, keyId: envelope.toString('latin1', 2, 2 + idLength), version };
}

function damaged(why: string): Error {
  return storeError('record-damaged', `A stored record is damaged: ${why}.`);
}

/**
 * 64 random bits drawn when the process starts, then a counter of 32: with 96 random bits the number of records
 * that one key may encrypt would be limited.
 */
function createNonces(): { next(into: Buffer, at: number): void } {
  let prefix = randomBytes(8);
  let counter = 0;
  return {
    next(into, at) {
      if (counter === HIGH) {
        prefix = randomBytes(8);
        counter = 0;
      }
      prefix.copy(into, at);
      into.writeUInt32BE(counter, at + prefix.length);
      counter += 1;
    },
  };
}
