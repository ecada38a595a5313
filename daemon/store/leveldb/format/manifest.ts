import { type LogEnd, readLog } from './log-format.ts';
import { ByteReader } from './varint.ts';

/** One table file, as the MANIFEST describes it. */
export interface TableInfo {
  readonly number: number;
  readonly level: number;
  readonly size: number;
  /** The range of its user keys. */
  readonly smallest: Buffer;
  readonly largest: Buffer;
}

/** Which files make up the database. */
export interface Manifest {
  /** Logs with a smaller number are obsolete; this one must exist. */
  readonly logNumber: number;
  readonly tables: readonly TableInfo[];
  readonly end: LogEnd;
}

/** Sequence number and type that follow each user key. */
const INTERNAL_SUFFIX = 8;

/** Tags of a version edit (LevelDB, db/version_edit). */
const tag = {
  comparator: 1,
  logNumber: 2,
  nextFile: 3,
  lastSequence: 4,
  compactPointer: 5,
  deletedFile: 6,
  newFile: 7,
  previousLog: 9,
} as const;

/** @throws RangeError if an edit is invalid although its checksum is correct */
export function readManifest(bytes: Buffer): Manifest {
  const tables = new Map<number, TableInfo>();
  let logNumber = 0;
  const end = readLog(bytes, (record) => {
    const reader = new ByteReader(record);
    while (!reader.done) {
      const field = reader.varint();
      switch (field) {
        case tag.comparator:
          reader.prefixed();
          break;
        case tag.logNumber:
          logNumber = reader.varint();
          break;
        case tag.nextFile:
        case tag.lastSequence:
        case tag.previousLog:
          reader.varint();
          break;
        case tag.compactPointer:
          reader.varint();
          reader.prefixed();
          break;
        case tag.deletedFile:
          reader.varint();
          tables.delete(reader.varint());
          break;
        case tag.newFile: {
          const table = readTableInfo(reader);
          tables.set(table.number, table);
          break;
        }
        default:
          throw new RangeError(`unknown field ${field}`);
      }
    }
  });
  return { logNumber, tables: [...tables.values()], end };
}

function readTableInfo(reader: ByteReader): TableInfo {
  const level = reader.varint();
  const number = reader.varint();
  const size = reader.varint();
  const smallest = userKey(reader.prefixed());
  const largest = userKey(reader.prefixed());
  return { number, level, size, smallest, largest };
}

function userKey(internal: Buffer): Buffer {
  return internal.subarray(0, internal.length - INTERNAL_SUFFIX);
}
