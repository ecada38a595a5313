import { crc32c, unmask } from './crc32c.ts';

/**
 * LevelDB's log format, used by the write-ahead log and the MANIFEST: blocks of 32 KiB that contain fragments
 * of u32 masked CRC-32C | u16 length | u8 type | data (LevelDB, "leveldb Log format").
 *
 * LevelDB itself drops what it cannot read and continues. This reader distinguishes a write that a crash cut
 * off, which was never reported as stored, from damage to completed writes. Invariants:
 * - anything that is not certainly an incomplete last write is damage;
 * - nothing is written.
 */
const BLOCK = 32_768;
const HEADER = 7;
const FULL = 1;
const FIRST = 2;
const LAST = 4;
/** The smallest unit that a disk writes whole; one that was never written reads as zeros. */
const SECTOR = 512;
/** Consecutive zeros that no stored record contains by chance: sealed bytes are indistinguishable from random. */
const TELLING_ZEROS = 16;

export type LogEnd =
  | { readonly kind: 'whole' }
  /** Everything from `at` on is incomplete. */
  | { readonly kind: 'torn'; readonly at: number }
  | { readonly kind: 'damaged'; readonly at: number; readonly why: string };

interface Fragment {
  readonly type: number;
  readonly data: Buffer;
  readonly end: number;
}

/** Calls `visit` with each whole record up to the end, or up to the first incomplete or damaged one. */
export function readLog(bytes: Buffer, visit: (record: Buffer) => void): LogEnd {
  let parts: Buffer[] = [];
  let start = 0;
  let at = 0;
  while (at < bytes.length) {
    const blockEnd = endOfBlock(at);
    if (blockEnd - at < HEADER) {
      at = blockEnd;
      continue;
    }
    const fragment = fragmentAt(bytes, at);
    const inside = parts.length > 0;
    if (!inside) start = at;
    if (!fragment) return evaluateTail(bytes, at, start);
    if ((fragment.type === FULL || fragment.type === FIRST) === inside) {
      return { kind: 'damaged', at, why: 'the pieces of a record do not follow one another' };
    }
    parts.push(fragment.data);
    if (fragment.type === FULL || fragment.type === LAST) {
      visit(parts.length === 1 ? fragment.data : Buffer.concat(parts));
      parts = [];
    }
    at = fragment.end;
  }
  return parts.length > 0 ? { kind: 'torn', at: start } : { kind: 'whole' };
}

function endOfBlock(at: number): number {
  return (Math.floor(at / BLOCK) + 1) * BLOCK;
}

/** The fragment that starts at `at`; undefined if no whole fragment does. */
function fragmentAt(bytes: Buffer, at: number): Fragment | undefined {
  const limit = Math.min(bytes.length, endOfBlock(at));
  if (at + HEADER > limit) return undefined;
  const type = bytes.readUInt8(at + 6);
  const end = at + HEADER + bytes.readUInt16LE(at + 4);
  if (type < FULL || type > LAST || end > limit) return undefined;
  if (crc32c(bytes, at + 6, end) !== unmask(bytes.readUInt32LE(at))) return undefined;
  return { type, data: bytes.subarray(at + HEADER, end), end };
}

/** Classifies the fragment at `at`, which is not whole, for the record that began at `start`. */
function evaluateTail(bytes: Buffer, at: number, start: number): LogEnd {
  if (recordBehind(bytes, at)) {
    return { kind: 'damaged', at, why: 'a record cannot be read although whole ones follow it' };
  }
  if (breaksOff(bytes, at) || hasUnwrittenSector(bytes, at)) return { kind: 'torn', at: start };
  return {
    kind: 'damaged',
    at,
    why: 'the checksum of the last record is wrong although all of it was written',
  };
}

/** Whether a record begins after `at`. Every offset in the block is checked: the length may be the damaged part. */
function recordBehind(bytes: Buffer, at: number): boolean {
  const blockEnd = Math.min(bytes.length, endOfBlock(at));
  for (let place = at + 1; place + HEADER <= blockEnd; place += 1) {
    const type = bytes.readUInt8(place + 6);
    if ((type === FULL || type === FIRST) && fragmentAt(bytes, place)) return true;
  }
  let next = blockEnd;
  while (next + HEADER <= bytes.length) {
    const fragment = fragmentAt(bytes, next);
    if (!fragment) return recordBehind(bytes, next);
    if (fragment.type === FULL || fragment.type === FIRST) return true;
    next = endOfBlock(next) - fragment.end < HEADER ? endOfBlock(next) : fragment.end;
  }
  return false;
}

/** The file ends inside the fragment; a whole fragment whose length was changed does not count. */
function breaksOff(bytes: Buffer, at: number): boolean {
  if (at + HEADER > bytes.length) return true;
  const end = at + HEADER + bytes.readUInt16LE(at + 4);
  if (end <= bytes.length || end > endOfBlock(at)) return false;
  const stored = unmask(bytes.readUInt32LE(at));
  let crc = 0;
  for (let i = at + 6; i < bytes.length; i += 1) {
    crc = crc32c(bytes, i, i + 1, crc);
    if (crc === stored) return false;
  }
  return true;
}

function hasUnwrittenSector(bytes: Buffer, at: number): boolean {
  for (let from = at; from < bytes.length; ) {
    const to = Math.min(bytes.length, (Math.floor(from / SECTOR) + 1) * SECTOR);
    if (to - from >= TELLING_ZEROS && bytes.subarray(from, to).every((byte) => byte === 0)) return true;
    from = to;
  }
  return false;
}
