import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../lib/errors.ts';
import { isStoreError, storeDamaged, storeError, systemCode } from '../../sealing/error.ts';
import { metaKey } from '../sealed/record-keys.ts';
import { valueInBatch } from './format/batch-format.ts';
import { type LogEnd, readLog } from './format/log-format.ts';
import { type Manifest, readManifest } from './format/manifest.ts';
import { checkTables, findInTables } from './format/tables.ts';

/** Result of checking the files of a closed store, before LevelDB changes any of them. */
export interface DirectoryCheck {
  /** The sealed meta record as the last complete write left it. */
  readonly meta: Buffer;
  /** Ends of files that a crash left incomplete; their content was never reported as stored. */
  readonly torn: readonly { readonly path: string; readonly at: number }[];
  /** Bytes that LevelDB rewrites when it opens. */
  readonly logBytes: number;
}

/**
 * Reads CURRENT, MANIFEST, logs and tables as LevelDB would, and throws where LevelDB would silently drop or
 * overlook data (design, rule 4). Invariants:
 * - nothing is written, and LevelDB's LOCK file is never opened: closing it would release LevelDB's lock;
 * - every log is read in full, and every table at least where a change could hide more than one key.
 *
 * @throws store-missing, store-damaged, store-unreadable
 */
export async function checkDirectory(directory: string, checkBytes: number): Promise<DirectoryCheck> {
  const names = listDirectory(directory);
  try {
    const { manifest, torn } = readCurrent(directory, names);
    await checkTables(directory, manifest.tables, checkBytes);
    const logs = checkLogs(directory, names, manifest.logNumber);
    const meta = logs.meta ?? findInTables(directory, manifest.tables, metaKey);
    if (!meta) throw storeDamaged(directory, 'no record says what it should hold');
    return { meta, torn: [...torn, ...logs.torn], logBytes: logs.bytes };
  } catch (error) {
    if (isStoreError(error, 'store-damaged')) throw error;
    throw storeError(
      'store-unreadable',
      `The store ${directory} cannot be read: ${messageOf(error)}. Nothing was changed.`,
      error,
    );
  }
}

/** The same check without the tables: detects dropped or overlooked changes. @throws store-damaged, Error */
export function checkTrail(directory: string): void {
  const names = listDirectory(directory);
  checkLogs(directory, names, readCurrent(directory, names).manifest.logNumber);
}

/** @throws store-missing, store-unreadable */
export function refuseMissing(directory: string): void {
  listDirectory(directory);
}

function listDirectory(directory: string): readonly string[] {
  let names: readonly string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ENOTDIR') {
      throw storeError(
        'store-unreadable',
        `The store ${directory} cannot be read: ${messageOf(error)}.`,
        error,
      );
    }
    throw storeError(
      'store-missing',
      `There is no store in ${directory}. A lost store is not taken for an empty one: mount or restore it, or make the first one with: sallyport init`,
      error,
    );
  }
  if (names.length > 0) return names;
  throw storeError(
    'store-missing',
    `The store ${directory} is empty. Is its file system not mounted? Nothing was changed; mount or restore it.`,
  );
}

function readCurrent(
  directory: string,
  names: readonly string[],
): { manifest: Manifest; torn: { path: string; at: number }[] } {
  if (!names.includes('CURRENT')) {
    throw storeDamaged(directory, 'its file CURRENT is gone, and with it the list of what it holds');
  }
  const current = readFileSync(join(directory, 'CURRENT'), 'latin1');
  const name = /^(MANIFEST-\d+)\n$/.exec(current)?.[1];
  if (name === undefined || !names.includes(name)) {
    throw storeDamaged(directory, 'its file CURRENT names no MANIFEST that is there');
  }
  const path = join(directory, name);
  const manifest = sensible(directory, name, () => readManifest(readFileSync(path)));
  return { manifest, torn: tornEnd(directory, name, manifest.end) };
}

function checkLogs(
  directory: string,
  names: readonly string[],
  oldest: number,
): { meta: Buffer | undefined; torn: { path: string; at: number }[]; bytes: number } {
  const logs = names
    .filter((name) => /^\d+\.log$/.test(name))
    .filter((name) => Number.parseInt(name, 10) >= oldest)
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  if (!logs.some((name) => Number.parseInt(name, 10) === oldest)) {
    throw storeDamaged(directory, `its log ${oldest} is gone, and with it the last changes`);
  }
  let meta: Buffer | undefined;
  let bytes = 0;
  let torn: { path: string; at: number }[] = [];
  for (const name of logs) {
    // Only the last write may be incomplete: the one before it was on disk when a new log was begun.
    if (torn.length > 0)
      throw storeDamaged(directory, `a log before ${name} is cut off, and with it changes are lost`);
    const log = readFileSync(join(directory, name));
    bytes += log.length;
    const end = sensible(directory, name, () =>
      readLog(log, (record) => {
        meta = valueInBatch(record, metaKey) ?? meta;
      }),
    );
    torn = tornEnd(directory, name, end);
  }
  return { meta, torn, bytes };
}

function tornEnd(directory: string, name: string, end: LogEnd): { path: string; at: number }[] {
  if (end.kind === 'damaged') {
    throw storeDamaged(
      directory,
      `in its file ${name}, at byte ${end.at}, ${end.why}; what was stored there is lost`,
    );
  }
  return end.kind === 'torn' ? [{ path: join(directory, name), at: end.at }] : [];
}

/** For data whose checksum is correct but whose content is invalid. */
function sensible<T>(directory: string, name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw storeDamaged(directory, `its file ${name} makes no sense: ${error.message}`, error);
  }
}
