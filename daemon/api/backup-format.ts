import { createHash } from 'node:crypto';
import { SallyportError } from '../lib/errors.ts';
import { limits } from '../limits.ts';

/**
 * The format of a backup inside its encryption:
 *
 *   "sallyport backup 1\n", then frames of u8 type | u32 length | payload
 *   H  the header, JSON: once, first
 *   K  the master key file as it was: at most once, and only if it was asked for
 *   E  u16 length of the key | key | value: an entry of the store, still sealed under the master key
 *   T  the trailer, JSON: once, last
 *
 * Invariants:
 * - whatever is cut off, added or changed is noticed before the end is reported;
 * - no length that is read is trusted beyond its limit.
 */
const MAGIC = Buffer.from('sallyport backup 1\n');
const FRAME = 5;
const type = { header: 0x48, key: 0x4b, entry: 0x45, trailer: 0x54 } as const;

export interface BackupHeader {
  /** Of sealed records: an older Sallyport refuses what it does not know. */
  readonly schema: number;
  readonly storeId: string;
  readonly commit: number;
  readonly accounts: number;
  readonly events: { readonly first: number; readonly last: number };
  /** Milliseconds since the epoch. */
  readonly taken: number;
  readonly host: string;
  readonly version: string;
  /** The master key that new records are sealed with. */
  readonly keyId: string;
  readonly withMasterKey: boolean;
}

export interface BackupTrailer {
  readonly entries: number;
  /** SHA-256 of all bytes before the trailer; hex. */
  readonly digest: string;
  /** HMAC-SHA256 over the digest, under a key derived from the master key `keyId`; hex. */
  readonly mac: string;
}

export type BackupPart =
  | { readonly kind: 'header'; readonly header: BackupHeader }
  | { readonly kind: 'key'; readonly text: string }
  | { readonly kind: 'entry'; readonly key: Buffer; readonly value: Buffer }
  | { readonly kind: 'end'; readonly trailer: BackupTrailer };

export interface BackupContents {
  readonly header: BackupHeader;
  /** The master key file; undefined: it stays out. */
  readonly masterKey?: string;
  readonly entries: AsyncIterable<readonly (readonly [Buffer, Buffer])[]>;
  /** @param digest raw @returns hex */
  readonly mac: (digest: Buffer) => string;
}

/** In pieces of about the size of a page of entries. */
export async function* writeBackup(contents: BackupContents): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  const hashed = (bytes: Buffer): Buffer => {
    hash.update(bytes);
    return bytes;
  };
  yield hashed(Buffer.concat([MAGIC, frame(type.header, json(contents.header))]));
  if (contents.masterKey !== undefined) yield hashed(frame(type.key, Buffer.from(contents.masterKey)));
  let count = 0;
  for await (const page of contents.entries) {
    count += page.length;
    yield hashed(Buffer.concat(page.map(([key, value]) => frame(type.entry, entry(key, value)))));
  }
  const digest = hash.digest();
  const trailer: BackupTrailer = {
    entries: count,
    digest: digest.toString('hex'),
    mac: contents.mac(digest),
  };
  yield frame(type.trailer, json(trailer));
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function frame(kind: number, payload: Buffer): Buffer {
  const head = Buffer.allocUnsafe(FRAME);
  head[0] = kind;
  head.writeUInt32BE(payload.length, 1);
  return Buffer.concat([head, payload]);
}

function entry(key: Buffer, value: Buffer): Buffer {
  const length = Buffer.allocUnsafe(2);
  length.writeUInt16BE(key.length);
  return Buffer.concat([length, key, value]);
}

/** @throws SallyportError backup-damaged, backup-schema */
export async function* readBackup(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<BackupPart> {
  const hash = createHash('sha256');
  const bytes = createBytes(chunks);
  const magic = await bytes.take(MAGIC.length);
  if (!magic.equals(MAGIC)) throw notOurs(magic);
  hash.update(magic);
  let entries = 0;
  let seen: 'nothing' | 'header' | 'more' = 'nothing';
  for (;;) {
    const head = await bytes.take(FRAME);
    const length = head.readUInt32BE(1);
    if (length > limits.backupFrame) throw damaged('a piece of it is longer than any can be');
    const payload = await bytes.take(length);
    const kind = head[0];
    if ((kind === type.header) !== (seen === 'nothing')) throw damaged('its pieces are not in order');
    if (kind === type.trailer) {
      const trailer = parse(payload) as BackupTrailer;
      if (trailer.entries !== entries || trailer.digest !== hash.digest('hex'))
        throw damaged('what it holds is not what was put into it');
      if (!(await bytes.atEnd())) throw damaged('data was added after its end');
      yield { kind: 'end', trailer };
      return;
    }
    hash.update(head).update(payload);
    if (kind === type.header) {
      seen = 'header';
      yield { kind: 'header', header: parse(payload) as BackupHeader };
    } else if (kind === type.key && seen === 'header') {
      seen = 'more';
      yield { kind: 'key', text: payload.toString() };
    } else if (kind === type.entry) {
      seen = 'more';
      entries += 1;
      const keyLength = payload.length < 2 ? payload.length : payload.readUInt16BE(0);
      if (2 + keyLength > payload.length) throw damaged('an entry is cut off');
      yield {
        kind: 'entry',
        key: payload.subarray(2, 2 + keyLength),
        value: payload.subarray(2 + keyLength),
      };
    } else throw damaged('a piece of it is of no known kind');
  }
}

function parse(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString());
  } catch {
    throw damaged('what it says of itself makes no sense');
  }
}

function notOurs(magic: Buffer): SallyportError {
  return magic.subarray(0, 17).equals(MAGIC.subarray(0, 17))
    ? new SallyportError(
        'backup-schema',
        'this backup was written by a newer Sallyport. Nothing was changed; install that version.',
      )
    : damaged('it does not begin as one');
}

function damaged(why: string): SallyportError {
  return new SallyportError(
    'backup-damaged',
    `this is not a complete backup of Sallyport: ${why}. Nothing was changed; use another copy of it.`,
  );
}

/** Bytes in the amounts that are wanted, from chunks of whatever size. */
function createBytes(chunks: AsyncIterable<Uint8Array>): {
  take(length: number): Promise<Buffer>;
  atEnd(): Promise<boolean>;
} {
  const source = chunks[Symbol.asyncIterator]();
  let have: Buffer = Buffer.alloc(0);
  const more = async (): Promise<boolean> => {
    const { value, done } = await source.next();
    if (done === true) return false;
    have = have.length === 0 ? Buffer.from(value) : Buffer.concat([have, value]);
    return true;
  };
  return {
    async take(length) {
      while (have.length < length) if (!(await more())) throw damaged('it is cut off');
      const taken = have.subarray(0, length);
      have = have.subarray(length);
      return taken;
    },
    async atEnd() {
      while (have.length === 0) if (!(await more())) return true;
      return false;
    },
  };
}
