import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../lib/errors.ts';
import { isStoreError, storeDamaged, storeError, systemCode } from '../../sealing/error.ts';
import { metaKey } from '../sealed/record-keys.ts';
import { valueInBatch } from './format/batch-format.ts';
import { type LogEnd, readLog } from './format/log-format.ts';
import { type Manifest, readManifest } from './format/manifest.ts';
import { checkTables, findInTables } from './format/tables.ts';

/** What a look at the files of a closed store found, before LevelDB touches any of them. */
export interface FolderCheck {
  /** The sealed meta record as the last whole write left it. */
  readonly meta: Buffer;
  /** Ends of files that a crash left unfinished; nobody was told of what stood there. */
  readonly torn: readonly { readonly path: string; readonly at: number }[];
  /** Bytes that LevelDB writes anew when it opens. */
  readonly logBytes: number;
}

/**
 * Reads CURRENT, MANIFEST, logs and tables as LevelDB would, and throws where LevelDB would drop, overlook or
 * forget (design, rule 4). MUST hold here:
 * - nothing is written, nor is a file of LevelDB named LOCK opened: closing it would drop LevelDB's lock;
 * - every log is read in full, every table at least where a change could hide more than one key.
 *
 * @throws store-missing, store-damaged, store-unreadable
 */
export async function checkFolder(folder: string, checkBytes: number): Promise<FolderCheck> {
  const names = listFolder(folder);
  try {
    const { manifest, torn } = readCurrent(folder, names);
    await checkTables(folder, manifest.tables, checkBytes);
    const logs = checkLogs(folder, names, manifest.logNumber);
    const meta = logs.meta ?? findInTables(folder, manifest.tables, metaKey);
    if (!meta) throw storeDamaged(folder, 'no record says what it should hold');
    return { meta, torn: [...torn, ...logs.torn], logBytes: logs.bytes };
  } catch (error) {
    if (isStoreError(error, 'store-damaged')) throw error;
    throw storeError(
      'store-unreadable',
      `The store ${folder} cannot be read: ${messageOf(error)}. Nothing was changed.`,
      error,
    );
  }
}

/** The same without the tables: whether any change was dropped or overlooked. @throws store-damaged, Error */
export function checkTrail(folder: string): void {
  const names = listFolder(folder);
  checkLogs(folder, names, readCurrent(folder, names).manifest.logNumber);
}

/** @throws store-missing, store-unreadable */
export function refuseMissing(folder: string): void {
  listFolder(folder);
}

function listFolder(folder: string): readonly string[] {
  let names: readonly string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ENOTDIR') {
      throw storeError('store-unreadable', `The store ${folder} cannot be read: ${messageOf(error)}.`, error);
    }
    throw storeError(
      'store-missing',
      `There is no store in ${folder}. A lost store is not taken for an empty one: mount or restore it, or make the first one with: sallyport init`,
      error,
    );
  }
  if (names.length > 0) return names;
  throw storeError(
    'store-missing',
    `The store ${folder} is empty. Is its file system not mounted? Nothing was changed; mount or restore it.`,
  );
}

function readCurrent(
  folder: string,
  names: readonly string[],
): { manifest: Manifest; torn: { path: string; at: number }[] } {
  if (!names.includes('CURRENT')) {
    throw storeDamaged(folder, 'its file CURRENT is gone, and with it the list of what it holds');
  }
  const current = readFileSync(join(folder, 'CURRENT'), 'latin1');
  const name = /^(MANIFEST-\d+)\n$/.exec(current)?.[1];
  if (name === undefined || !names.includes(name)) {
    throw storeDamaged(folder, 'its file CURRENT names no MANIFEST that is there');
  }
  const path = join(folder, name);
  const manifest = sensible(folder, name, () => readManifest(readFileSync(path)));
  return { manifest, torn: tornEnd(folder, name, manifest.end) };
}

function checkLogs(
  folder: string,
  names: readonly string[],
  oldest: number,
): { meta: Buffer | undefined; torn: { path: string; at: number }[]; bytes: number } {
  const logs = names
    .filter((name) => /^\d+\.log$/.test(name))
    .filter((name) => Number.parseInt(name, 10) >= oldest)
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  if (!logs.some((name) => Number.parseInt(name, 10) === oldest)) {
    throw storeDamaged(folder, `its log ${oldest} is gone, and with it the last changes`);
  }
  let meta: Buffer | undefined;
  let bytes = 0;
  let torn: { path: string; at: number }[] = [];
  for (const name of logs) {
    // Only the last write may be unfinished: the one before it was on disk when a new log was begun.
    if (torn.length > 0)
      throw storeDamaged(folder, `a log before ${name} is cut off, and with it changes are lost`);
    const log = readFileSync(join(folder, name));
    bytes += log.length;
    const end = sensible(folder, name, () =>
      readLog(log, (record) => {
        meta = valueInBatch(record, metaKey) ?? meta;
      }),
    );
    torn = tornEnd(folder, name, end);
  }
  return { meta, torn, bytes };
}

function tornEnd(folder: string, name: string, end: LogEnd): { path: string; at: number }[] {
  if (end.kind === 'damaged') {
    throw storeDamaged(
      folder,
      `in its file ${name}, at byte ${end.at}, ${end.why}; what was stored there is lost`,
    );
  }
  return end.kind === 'torn' ? [{ path: join(folder, name), at: end.at }] : [];
}

/** For data whose checksum is right and which still makes no sense. */
function sensible<T>(folder: string, name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw storeDamaged(folder, `its file ${name} makes no sense: ${error.message}`, error);
  }
}
