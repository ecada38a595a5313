/** CRC-32C (Castagnoli; RFC 3720, appendix B.4), eight bytes per step, as used in LevelDB's files. */

const POLYNOMIAL = 0x82f63b78;
const TABLE_SIZE = 256;

function firstTable(): Int32Array {
  const table = new Int32Array(TABLE_SIZE);
  for (let byte = 0; byte < TABLE_SIZE; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    table[byte] = crc;
  }
  return table;
}

function nextTable(previous: Int32Array, first: Int32Array): Int32Array {
  return previous.map((crc) => (crc >>> 8) ^ at(first, crc & 0xff));
}

/** The index is always masked to a byte, so the value exists. */
function at(table: Int32Array, index: number): number {
  return table[index] as number;
}

const t0 = firstTable();
const t1 = nextTable(t0, t0);
const t2 = nextTable(t1, t0);
const t3 = nextTable(t2, t0);
const t4 = nextTable(t3, t0);
const t5 = nextTable(t4, t0);
const t6 = nextTable(t5, t0);
const t7 = nextTable(t6, t0);

/** The checksum of bytes[start, end), as an unsigned number; `seed` is that of the bytes before them. */
export function crc32c(bytes: Buffer, start = 0, end = bytes.length, seed = 0): number {
  let crc = ~seed;
  let i = start;
  for (; i + 8 <= end; i += 8) {
    crc ^= bytes.readInt32LE(i);
    crc =
      at(t7, crc & 0xff) ^
      at(t6, (crc >>> 8) & 0xff) ^
      at(t5, (crc >>> 16) & 0xff) ^
      at(t4, crc >>> 24) ^
      at(t3, bytes[i + 4] as number) ^
      at(t2, bytes[i + 5] as number) ^
      at(t1, bytes[i + 6] as number) ^
      at(t0, bytes[i + 7] as number);
  }
  for (; i < end; i += 1) crc = at(t0, (crc ^ (bytes[i] as number)) & 0xff) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** LevelDB stores checksums rotated and shifted, so that a checksum over data with checksums stays effective. */
export function unmask(stored: number): number {
  const rotated = (stored - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}
