import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { crc32c, unmask } from '../../../../../daemon/store/leveldb/format/crc32c.ts';
import { type LogEnd, readLog } from '../../../../../daemon/store/leveldb/format/log-format.ts';

/** Written from the description of the format, not with the reader's code. */
function mask(crc: number): number {
  return ((((crc >>> 15) | (crc << 17)) >>> 0) + 0xa282ead8) % 2 ** 32;
}

function writeLog(records: readonly Buffer[]): { bytes: Buffer; starts: number[] } {
  const parts: Buffer[] = [];
  const starts: number[] = [];
  let at = 0;
  const emit = (part: Buffer): void => {
    parts.push(part);
    at += part.length;
  };
  for (const record of records) {
    let left = record;
    for (let first = true; first || left.length > 0; first = false) {
      const room = 32_768 - (at % 32_768);
      if (room < 7) emit(Buffer.alloc(room));
      if (first) starts.push(at);
      const data = left.subarray(0, 32_768 - (at % 32_768) - 7);
      left = left.subarray(data.length);
      const last = left.length === 0;
      const type = first ? (last ? 1 : 2) : last ? 4 : 3;
      const body = Buffer.concat([Buffer.from([type]), data]);
      const header = Buffer.alloc(6);
      header.writeUInt32LE(mask(crc32c(body)), 0);
      header.writeUInt16LE(data.length, 4);
      emit(Buffer.concat([header, body]));
    }
  }
  return { bytes: Buffer.concat(parts), starts };
}

function read(bytes: Buffer): { end: LogEnd; records: Buffer[] } {
  const records: Buffer[] = [];
  const end = readLog(bytes, (record) => records.push(Buffer.from(record)));
  return { end, records };
}

const some = [100, 3_000, 40_000, 12, 90_000, 700, 650].map((size) => randomBytes(size));

describe('the reader of LevelDB logs', () => {
  it('knows CRC-32C (RFC 3720, B.4)', () => {
    assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
    assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa);
    assert.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43);
    assert.equal(crc32c(Buffer.from('6789'), 0, 4, crc32c(Buffer.from('12345'))), 0xe3069283);
    assert.equal(unmask(mask(0xe3069283)), 0xe3069283);
  });

  it('reads records of any size, at any place in a block', () => {
    for (let pad = 32_700; pad < 32_770; pad += 1) {
      const records = [randomBytes(pad), randomBytes(20), ...some];
      assert.deepEqual(read(writeLog(records).bytes), { end: { kind: 'whole' }, records });
    }
    assert.deepEqual(read(Buffer.alloc(0)), { end: { kind: 'whole' }, records: [] });
  });

  it('treats a last record in which the file ends as torn, and keeps all before it', () => {
    const { bytes, starts } = writeLog(some);
    const last = starts.at(-1) ?? 0;
    for (let size = last + 1; size < bytes.length; size += 1) {
      const { end, records } = read(bytes.subarray(0, size));
      assert.deepEqual(end, { kind: 'torn', at: last }, `at ${size}`);
      assert.equal(records.length, some.length - 1);
    }
  });

  it('treats a last record as torn if a part of it was never written', () => {
    const { bytes, starts } = writeLog(some);
    const last = starts.at(-1) ?? 0;
    const zeroed = Buffer.from(bytes).fill(0, last);
    assert.deepEqual(read(zeroed).end, { kind: 'torn', at: last });
    const half = Buffer.from(bytes).fill(0, Math.ceil(last / 512) * 512);
    assert.deepEqual(read(half).end, { kind: 'torn', at: last });
    const long = writeLog([randomBytes(10), randomBytes(90_000)]);
    const hole = Buffer.from(long.bytes).fill(0, 36_864, 40_960);
    assert.deepEqual(read(hole).end, { kind: 'torn', at: long.starts[1] });
  });

  it('treats everything else as damage: any flipped bit, in any record, including the last one', () => {
    const { bytes, starts } = writeLog(some.slice(0, 4));
    const flips = [...starts, ...Array.from({ length: 20 }, () => Math.floor(Math.random() * bytes.length))];
    for (const place of flips.flatMap((at) => [at, at + 2, at + 4, at + 5, at + 6])) {
      if (place >= bytes.length) continue;
      for (let bit = 0; bit < 8; bit += 1) {
        const changed = Buffer.from(bytes);
        changed.writeUInt8(changed.readUInt8(place) ^ (1 << bit), place);
        assert.equal(read(changed).end.kind, 'damaged', `bit ${bit} of ${place}`);
      }
    }
  });

  it('treats zeros before a whole record, and fragments in the wrong order, as damage', () => {
    const { bytes, starts } = writeLog(some);
    const [, second = 0, third = 0] = starts;
    assert.equal(read(Buffer.from(bytes).fill(0, second, third)).end.kind, 'damaged');
    const [a, b] = [writeLog([randomBytes(40_000)]).bytes, writeLog([randomBytes(10)]).bytes];
    assert.equal(read(Buffer.concat([a.subarray(0, 32_768), b])).end.kind, 'damaged');
    assert.equal(read(a.subarray(32_768)).end.kind, 'damaged');
  });
});
