import { ByteReader } from './varint.ts';

/** u64 sequence number and u32 count precede the operations. */
const HEADER = 12;
const DELETE = 0;
const PUT = 1;

/**
 * The last value that a record of the write-ahead log gives to `key`; undefined if the record does not touch it.
 * @throws RangeError if the record is invalid although its checksum is correct
 */
export function valueInBatch(record: Buffer, key: Buffer): Buffer | undefined {
  if (record.length < HEADER) throw new RangeError('a batch is too short');
  const reader = new ByteReader(record, HEADER);
  let found: Buffer | undefined;
  let count = 0;
  for (; !reader.done; count += 1) {
    const type = reader.byte();
    if (type !== PUT && type !== DELETE) throw new RangeError(`unknown operation ${type}`);
    const at = reader.prefixed();
    const value = type === PUT ? reader.prefixed() : undefined;
    if (value && at.equals(key)) found = value;
  }
  if (count !== record.readUInt32LE(8)) throw new RangeError('a batch does not hold what it says');
  return found;
}
