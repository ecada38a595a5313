import { messageOf } from '../../lib/errors.ts';
import { isStoreError, storeError } from '../../sealing/error.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { Versioned } from '../contract.ts';
import type { Db, DbSnapshot } from './db.ts';
import {
  displayName,
  type KeyRange,
  markerKey,
  markerRange,
  nameOf,
  recordKey,
  recordRange,
} from './record-keys.ts';

/** The stored bytes of record and marker of one account, or of one YubiKey. */
export interface MarkedRecord {
  readonly account: string;
  readonly record: Buffer | undefined;
  readonly marker: Buffer | undefined;
}

const ABSENT = { value: undefined, version: 0 } as const;

/**
 * Invariant: an account counts as absent only if both of its entries are absent, and as present only if both
 * hold the same version under valid tags (design, rule 4).
 *
 * @throws record-damaged, store-schema
 */
export function openPair<T>(
  sealer: Sealer,
  { account, record, marker }: MarkedRecord,
  decode: (plaintext: Buffer, name: string) => T,
): Versioned<T> {
  if (!record && !marker) return ABSENT;
  if (!record) throw damaged(account, 'its marker is there, the record itself is gone');
  if (!marker) throw damaged(account, 'the record is there, its marker is gone');
  let opened: Buffer | undefined;
  try {
    const { version, plaintext } = sealer.open('record', recordKey(account), record);
    opened = plaintext;
    const proof = sealer.open('marker', markerKey(account), marker);
    if (proof.version !== version) throw new Error(`it has version ${version}, its marker ${proof.version}`);
    return { value: decode(plaintext, account), version };
  } catch (error) {
    if (isStoreError(error, 'store-schema')) throw error;
    throw damaged(account, messageOf(error), error);
  } finally {
    opened?.fill(0);
  }
}

function damaged(account: string, why: string, cause?: unknown): Error {
  return storeError(
    'record-damaged',
    `The record of ${displayName(account)} is damaged (${why}). It is refused; nothing was changed. Restore it from a backup.`,
    cause,
  );
}

/** The accounts that have a record, a marker or both, in the order of names, starting after `after`. */
export async function readPairs(
  db: Db,
  options: { readonly after?: Buffer | undefined; readonly limit: number; readonly snapshot: DbSnapshot },
): Promise<readonly (MarkedRecord & { readonly name: Buffer })[]> {
  const [records, markers] = await Promise.all([
    entries(db, recordRange, options),
    entries(db, markerRange, options),
  ]);
  // Each list holds its first `limit` entries, so together they contain the first `limit` names.
  const names = new Map(
    [...records, ...markers].map(([key]) => [nameOf(key).toString('latin1'), nameOf(key)]),
  );
  const recordOf = byName(records);
  const markerOf = byName(markers);
  return [...names]
    .sort(([, a], [, b]) => a.compare(b))
    .slice(0, options.limit)
    .map(([id, name]) => ({
      name,
      account: name.toString(),
      record: recordOf.get(id),
      marker: markerOf.get(id),
    }));
}

function byName(list: readonly (readonly [Buffer, Buffer])[]): ReadonlyMap<string, Buffer> {
  return new Map(list.map(([key, value]) => [nameOf(key).toString('latin1'), value]));
}

function entries(
  db: Db,
  range: KeyRange,
  options: { readonly after?: Buffer | undefined; readonly limit: number; readonly snapshot: DbSnapshot },
): Promise<[Buffer, Buffer][]> {
  const { after, limit, snapshot } = options;
  const from = after ? { gt: Buffer.concat([range.gte.subarray(0, 1), after]) } : { gte: range.gte };
  return db.iterator({ ...from, lt: range.lt, limit, snapshot, fillCache: false }).all();
}
