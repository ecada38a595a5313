import { closeSync, fstatSync, openSync } from 'node:fs';
import { readFully } from '../../../lib/durable.ts';
import { crc32c, unmask } from './crc32c.ts';
import { ByteReader } from './varint.ts';

/**
 * Reader for LevelDB's table files: data blocks, filter block, metaindex block, index block, footer of 48 bytes;
 * each block is followed by a u8 type and its u32 masked CRC-32C (LevelDB, "leveldb File format").
 *
 * LevelDB is built without verifying these checksums on reads, so that one changed bit in an index or a filter
 * makes existing keys appear absent, or an older value appear current. Invariants:
 * - if `check` finds nothing, every block that it read is as it was written;
 * - index, filter, metaindex and footer are always checked.
 */
const FOOTER = 48;
const MAGIC = Buffer.from('57fb808b247547db', 'hex');
const TRAILER = 5;
const NOT_COMPRESSED = 0;
const FILTER_NAME = 'filter.';
/** Sequence number and type that follow each user key. */
const INTERNAL_SUFFIX = 8;
const PUT = 1;

interface Handle {
  readonly offset: number;
  readonly size: number;
}

interface Entry {
  /** Includes the internal suffix. */
  readonly key: Buffer;
  readonly value: Buffer;
}

/** What a table contains for a key: its value, its deletion (value undefined), or nothing (undefined). */
export type TableAnswer = { readonly value: Buffer | undefined } | undefined;

export class Table {
  readonly #fd: number;
  readonly #size: number;
  /** The whole file, once every block is needed. */
  #whole: Buffer | undefined;

  /** @throws Error of the file system */
  constructor(path: string) {
    this.#fd = openSync(path, 'r');
    this.#size = fstatSync(this.#fd).size;
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** @param blocks whether data blocks are checked too @throws Error that describes the damage */
  check(blocks: 'structure' | 'all'): void {
    if (blocks === 'all') this.#whole = readFully(this.#fd, this.#size, 0);
    const index = this.#index();
    if (blocks === 'structure') return;
    for (const handle of handlesOf(index)) this.#block(handle);
  }

  /** @throws Error if any block on the way to the answer is damaged */
  get(key: Buffer): TableAnswer {
    const place = entriesOf(this.#index()).find((entry) => userKey(entry.key).compare(key) >= 0);
    if (!place) return undefined;
    const entry = entriesOf(this.#block(handleIn(place.value))).find((at) => userKey(at.key).equals(key));
    if (!entry) return undefined;
    const type = entry.key[entry.key.length - INTERNAL_SUFFIX];
    return { value: type === PUT ? entry.value : undefined };
  }

  /** The index block, after everything on the way to it was checked. */
  #index(): Buffer {
    if (this.#size < FOOTER) throw new Error('it is too short');
    const footer = readFully(this.#fd, FOOTER, this.#size - FOOTER);
    if (!footer.subarray(FOOTER - MAGIC.length).equals(MAGIC))
      throw new Error('its end is not that of a table');
    const reader = new ByteReader(footer);
    const metaindex = { offset: reader.varint(), size: reader.varint() };
    const index = { offset: reader.varint(), size: reader.varint() };
    if (endOf(metaindex) !== index.offset || endOf(index) !== this.#size - FOOTER) {
      throw new Error('its footer points to the wrong places');
    }
    for (const entry of entriesOf(this.#block(metaindex))) {
      if (entry.key.toString('latin1').startsWith(FILTER_NAME)) this.#block(handleIn(entry.value));
    }
    return this.#block(index);
  }

  #block({ offset, size }: Handle): Buffer {
    if (offset + size + TRAILER > this.#size) throw new Error(`the block at ${offset} runs past its end`);
    const bytes =
      this.#whole?.subarray(offset, offset + size + TRAILER) ?? readFully(this.#fd, size + TRAILER, offset);
    if (crc32c(bytes, 0, size + 1) !== unmask(bytes.readUInt32LE(size + 1))) {
      throw new Error(`the checksum of the block at ${offset} is wrong`);
    }
    if (bytes[size] !== NOT_COMPRESSED) throw new Error(`the block at ${offset} is compressed`);
    return bytes.subarray(0, size);
  }
}

function endOf(handle: Handle): number {
  return handle.offset + handle.size + TRAILER;
}

function handleIn(bytes: Buffer): Handle {
  const reader = new ByteReader(bytes);
  return { offset: reader.varint(), size: reader.varint() };
}

function userKey(internal: Buffer): Buffer {
  return internal.subarray(0, internal.length - INTERNAL_SUFFIX);
}

/** Handles in the index; its keys are not built, which would take most of the time. */
function* handlesOf(index: Buffer): Generator<Handle, void, undefined> {
  const reader = entryReader(index);
  while (!reader.done) {
    reader.varint();
    const keyLength = reader.varint();
    reader.varint();
    reader.bytes(keyLength);
    yield { offset: reader.varint(), size: reader.varint() };
  }
}

/** Each key shares a prefix with the previous one. */
function entriesOf(block: Buffer): Entry[] {
  const reader = entryReader(block);
  const entries: Entry[] = [];
  let previous: Buffer = Buffer.alloc(0);
  while (!reader.done) {
    const shared = reader.varint();
    const rest = reader.varint();
    const length = reader.varint();
    const key: Buffer = Buffer.concat([previous.subarray(0, shared), reader.bytes(rest)]);
    entries.push({ key, value: reader.bytes(length) });
    previous = key;
  }
  return entries;
}

/** The restart points at the end are not needed here. */
function entryReader(block: Buffer): ByteReader {
  const restarts = block.readUInt32LE(block.length - 4);
  return new ByteReader(block.subarray(0, block.length - 4 - 4 * restarts));
}
