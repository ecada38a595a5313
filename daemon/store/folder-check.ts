import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { messageOf } from '../errors.ts';
import { limits } from '../limits.ts';
import { valueInBatch } from './batch-format.ts';
import { isStoreError, storeError, systemCode } from './error.ts';
import { metaKey } from './keys.ts';
import { type LogEnd, readLog } from './log-format.ts';
import { type Manifest, readManifest, type TableInfo } from './manifest.ts';
import { Table } from './table-format.ts';

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
export async function checkFolder(folder: string): Promise<FolderCheck> {
  const names = listFolder(folder);
  try {
    const { manifest, torn } = readCurrent(folder, names);
    const tables = newestFirst(manifest.tables);
    await checkTables(folder, tables);
    const logs = checkLogs(folder, names, manifest.logNumber);
    const meta = logs.meta ?? metaInTables(folder, tables);
    if (!meta) throw damaged(folder, 'no record says what it should hold');
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
    throw damaged(folder, 'its file CURRENT is gone, and with it the list of what it holds');
  }
  const current = readFileSync(join(folder, 'CURRENT'), 'latin1');
  const name = /^(MANIFEST-\d+)\n$/.exec(current)?.[1];
  if (name === undefined || !names.includes(name)) {
    throw damaged(folder, 'its file CURRENT names no MANIFEST that is there');
  }
  const path = join(folder, name);
  const manifest = sensible(folder, name, () => readManifest(readFileSync(path)));
  return { manifest, torn: tornEnd(folder, name, manifest.end) };
}

async function checkTables(folder: string, tables: readonly TableInfo[]): Promise<void> {
  let budget = limits.checkAtOpenBytes;
  for (const table of tables) {
    await setImmediate();
    // A small table may hold an account's record and its marker in one block.
    const all = table.size <= budget || table.size <= limits.smallTableBytes;
    budget -= table.size;
    withTable(folder, table, (file) => file.check(all ? 'all' : 'structure'));
  }
}

/** Runs a look at one table, and says which one when something is wrong with it. */
function withTable<T>(folder: string, info: TableInfo, look: (table: Table) => T): T {
  const name = `${String(info.number).padStart(6, '0')}.ldb`;
  const path = join(folder, name);
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) throw damaged(folder, `its table ${name} is gone, and with it all records in it`);
  if (size !== info.size) {
    throw damaged(folder, `its table ${name} has ${size} bytes in place of ${info.size}`);
  }
  const table = new Table(path);
  try {
    return look(table);
  } catch (error) {
    if (systemCode(error)) throw error;
    throw damaged(folder, `its table ${name} cannot be trusted: ${messageOf(error)}`, error);
  } finally {
    table.close();
  }
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
    throw damaged(folder, `its log ${oldest} is gone, and with it the last changes`);
  }
  let meta: Buffer | undefined;
  let bytes = 0;
  let torn: { path: string; at: number }[] = [];
  for (const name of logs) {
    // Only the last write may be unfinished: the one before it was on disk when a new log was begun.
    if (torn.length > 0)
      throw damaged(folder, `a log before ${name} is cut off, and with it changes are lost`);
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
    throw damaged(
      folder,
      `in its file ${name}, at byte ${end.at}, ${end.why}; what was stored there is lost`,
    );
  }
  return end.kind === 'torn' ? [{ path: join(folder, name), at: end.at }] : [];
}

function metaInTables(folder: string, tables: readonly TableInfo[]): Buffer | undefined {
  for (const table of tables) {
    if (table.smallest.compare(metaKey) > 0 || table.largest.compare(metaKey) < 0) continue;
    const answer = withTable(folder, table, (file) => file.get(metaKey));
    if (answer) return answer.value;
  }
  return undefined;
}

/** The order in which LevelDB looks for a key: in level 0 the newest file first, then level by level. */
function newestFirst(tables: readonly TableInfo[]): readonly TableInfo[] {
  return [...tables].sort((a, b) => a.level - b.level || b.number - a.number);
}

/** For data whose checksum is right and which still makes no sense. */
function sensible<T>(folder: string, name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw damaged(folder, `its file ${name} makes no sense: ${error.message}`, error);
  }
}

function damaged(folder: string, what: string, cause?: unknown): Error {
  return storeError(
    'store-damaged',
    `The store ${folder} is damaged: ${what}. Nothing was changed. Restore the store together with its anchor from a backup.`,
    cause,
  );
}
