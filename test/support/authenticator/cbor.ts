/** CBOR as CTAP2 has it: definite lengths, shortest forms, the keys of maps in order, no floats, no tags. */

export type CborKey = number | string;
export type Cbor = number | string | boolean | null | Uint8Array | readonly Cbor[] | CborMap;
export type CborMap = ReadonlyMap<CborKey, Cbor>;

export class CborError extends Error {}

/** A map of what is there: entries with undefined are left out. */
export function cborMap(...entries: readonly (readonly [CborKey, Cbor | undefined])[]): CborMap {
  const map = new Map<CborKey, Cbor>();
  for (const [key, value] of entries) if (value !== undefined) map.set(key, value);
  return map;
}

export function encode(value: Cbor): Buffer {
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === 'boolean') return Buffer.of(value ? 0xf5 : 0xf4);
  if (value === null) return Buffer.of(0xf6);
  if (typeof value === 'string')
    return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value]);
  if (value instanceof Map) return encodeMap(value);
  const items = value as readonly Cbor[];
  return Buffer.concat([head(4, items.length), ...items.map(encode)]);
}

function encodeMap(map: CborMap): Buffer {
  const entries = [...map].map(([key, item]) => ({ key: encode(key), item: encode(item) }));
  // First by type, then by length, then by bytes.
  entries.sort(
    (a, b) => majorOf(a.key) - majorOf(b.key) || a.key.length - b.key.length || Buffer.compare(a.key, b.key),
  );
  return Buffer.concat([head(5, map.size), ...entries.flatMap(({ key, item }) => [key, item])]);
}

function majorOf(encoded: Buffer): number {
  return encoded.readUInt8() >>> 5;
}

function head(major: number, value: number): Buffer {
  if (!Number.isSafeInteger(value)) throw new CborError(`not an integer: ${value}`);
  if (value < 24) return Buffer.of((major << 5) | value);
  if (value < 0x100) return Buffer.of((major << 5) | 24, value);
  if (value < 0x1_0000) return Buffer.of((major << 5) | 25, value >>> 8, value & 0xff);
  const bytes = Buffer.alloc(value < 0x1_0000_0000 ? 5 : 9);
  bytes.writeUInt8((major << 5) | (bytes.length === 5 ? 26 : 27));
  if (bytes.length === 5) bytes.writeUInt32BE(value, 1);
  else bytes.writeBigUInt64BE(BigInt(value), 1);
  return bytes;
}

/** @throws CborError unless these bytes are exactly one value in its canonical form */
export function decode(bytes: Uint8Array): Cbor {
  const { value, rest } = decodeFirst(bytes);
  if (rest.length > 0) throw new CborError(`${rest.length} bytes behind the value`);
  if (!encode(value).equals(bytes)) throw new CborError('not in canonical form');
  return value;
}

/** The value that these bytes begin with, and what is behind it. Canonical form is not asked for. */
export function decodeFirst(bytes: Uint8Array): { readonly value: Cbor; readonly rest: Buffer } {
  const reader = new Reader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const value = reader.value(0);
  return { value, rest: reader.rest };
}

class Reader {
  rest: Buffer;

  constructor(bytes: Buffer) {
    this.rest = bytes;
  }

  value(depth: number): Cbor {
    if (depth > 8) throw new CborError('too deep');
    const first = this.take(1).readUInt8();
    const major = first >>> 5;
    if (major === 7) return simple(first);
    const argument = this.argument(first & 31);
    if (major === 0) return argument;
    if (major === 1) return -1 - argument;
    if (major === 2) return this.take(argument);
    if (major === 3) return this.take(argument).toString('utf8');
    if (major === 4) return this.many(argument, () => this.value(depth + 1));
    if (major === 5) return new Map(this.many(argument, () => [this.key(depth), this.value(depth + 1)]));
    throw new CborError('a tag');
  }

  private key(depth: number): CborKey {
    const key = this.value(depth + 1);
    if (typeof key !== 'number' && typeof key !== 'string') throw new CborError('a key of another type');
    return key;
  }

  private many<T>(count: number, one: () => T): T[] {
    if (count > this.rest.length) throw new CborError('too short');
    return Array.from({ length: count }, one);
  }

  private argument(short: number): number {
    if (short < 24) return short;
    if (short > 27) throw new CborError('an indefinite length');
    const bytes = this.take(1 << (short - 24));
    return bytes.length === 8 ? Number(bytes.readBigUInt64BE()) : bytes.readUIntBE(0, bytes.length);
  }

  private take(count: number): Buffer {
    if (count > this.rest.length) throw new CborError('too short');
    const taken = this.rest.subarray(0, count);
    this.rest = this.rest.subarray(count);
    return taken;
  }
}

function simple(first: number): Cbor {
  if (first === 0xf4 || first === 0xf5) return first === 0xf5;
  if (first === 0xf6) return null;
  throw new CborError(`0x${first.toString(16)} is not known`);
}
