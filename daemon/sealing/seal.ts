import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { storeError } from './error.ts';
import type { Keyring, Purpose } from './keyring.ts';

/**
 * The envelope around everything at rest (AES-256-GCM, NIST SP 800-38D):
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
const CIPHER = 'aes-256-gcm';
/** The upper bound of a version (exclusive): above it a number is not exact. */
const HIGH = 2 ** 32;

export function createSealer(keyring: Keyring): Sealer {
  const nextNonce = createNonces();

  function seal(purpose: SealPurpose, key: Buffer, version: number, plaintext: Buffer): Buffer {
    const header = writeHeader(keyring.current, version);
    const nonce = nextNonce();
    const cipher = createCipheriv(CIPHER, keyring.key(purpose, keyring.current), nonce);
    cipher.setAAD(associated(purpose, key, header));
    if (plaintext.length === 0) {
      cipher.final();
      return Buffer.concat([header, nonce, cipher.getAuthTag()]);
    }
    const body = cipher.update(plaintext);
    cipher.final();
    return Buffer.concat([header, nonce, body, cipher.getAuthTag()]);
  }

  function open(purpose: SealPurpose, key: Buffer, envelope: Buffer): Opened {
    const { headerLength, keyId, version } = readHeader(envelope);
    const bodyStart = headerLength + NONCE_BYTES;
    const bodyEnd = envelope.length - TAG_BYTES;
    const decipher = createDecipheriv(
      CIPHER,
      keyring.key(purpose, keyId),
      envelope.subarray(headerLength, bodyStart),
      { authTagLength: TAG_BYTES },
    );
    decipher.setAAD(associated(purpose, key, envelope.subarray(0, headerLength)));
    decipher.setAuthTag(envelope.subarray(bodyEnd));
    const plaintext = decipher.update(envelope.subarray(bodyStart, bodyEnd));
    try {
      decipher.final();
    } catch (error) {
      throw damaged('its authentication tag is wrong', error);
    }
    return { version, plaintext };
  }

  return { seal, open };
}

/** The version that an envelope claims; its tag is not verified. undefined if it is not an envelope. */
export function claimedVersion(envelope: Buffer): number | undefined {
  const idLength = envelope[1];
  if (idLength === undefined || envelope.length < 10 + idLength) return undefined;
  return envelope.readUInt32BE(2 + idLength) * HIGH + envelope.readUInt32BE(6 + idLength);
}

/** The master key that an envelope names; its tag is not verified. */
export function claimedKey(envelope: Buffer): string | undefined {
  const idLength = envelope[1];
  if (idLength === undefined || envelope.length < 10 + idLength) return undefined;
  return envelope.toString('latin1', 2, 2 + idLength);
}

function writeHeader(keyId: string, version: number): Buffer {
  const header = Buffer.allocUnsafe(10 + keyId.length);
  header[0] = SCHEMA;
  header[1] = keyId.length;
  header.write(keyId, 2, 'latin1');
  header.writeUInt32BE(Math.floor(version / HIGH), 2 + keyId.length);
  header.writeUInt32BE(version % HIGH, 6 + keyId.length);
  return header;
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
  const headerLength = 10 + idLength;
  const version = claimedVersion(envelope);
  if (schema < 1 || version === undefined || envelope.length < headerLength + NONCE_BYTES + TAG_BYTES) {
    throw damaged('it is not an encrypted record');
  }
  return { headerLength, keyId: envelope.toString('latin1', 2, 2 + idLength), version };
}

function associated(purpose: SealPurpose, key: Buffer, header: Buffer): Buffer {
  const lengths = Buffer.allocUnsafe(5);
  lengths[0] = purpose.length;
  lengths.writeUInt32BE(key.length, 1);
  return Buffer.concat([lengths, Buffer.from(purpose, 'latin1'), key, header]);
}

function damaged(why: string, cause?: unknown): Error {
  return storeError('record-damaged', `A stored record is damaged: ${why}.`, cause);
}

/**
 * 64 random bits drawn when the process starts, then a counter of 32: with 96 random bits the number of records
 * that one key may encrypt would be limited.
 */
function createNonces(): () => Buffer {
  let prefix = randomBytes(8);
  let counter = 0;
  return () => {
    if (counter === HIGH) {
      prefix = randomBytes(8);
      counter = 0;
    }
    const nonce = Buffer.allocUnsafe(NONCE_BYTES);
    prefix.copy(nonce);
    nonce.writeUInt32BE(counter, 8);
    counter += 1;
    return nonce;
  };
}
