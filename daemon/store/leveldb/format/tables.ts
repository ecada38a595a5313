import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { messageOf } from '../../../lib/errors.ts';
import { limits } from '../../../limits.ts';
import { isStoreError, storeDamaged, systemCode } from '../../../sealing/error.ts';
import { readManifest, type TableInfo } from './manifest.ts';
import { Table } from './table-format.ts';

/**
 * Checks every table before LevelDB is opened, newest first: damage in a newer table could expose an older
 * record. @param bytes how much is read in full @throws store-damaged
 */
export async function checkTables(
  directory: string,
  tables: readonly TableInfo[],
  bytes: number,
): Promise<void> {
  let budget = bytes;
  for (const table of newestFirst(tables)) {
    await setImmediate();
    // A small table may hold an account's record and its marker in one block.
    const all = table.size <= budget || table.size <= limits.smallTableBytes;
    budget -= table.size;
    withTable(directory, table, (file) => file.check(all ? 'all' : 'structure'));
  }
}

/** The newest value of a key in the tables; undefined if absent. @throws store-damaged */
export function findInTables(
  directory: string,
  tables: readonly TableInfo[],
  key: Buffer,
): Buffer | undefined {
  for (const table of newestFirst(tables)) {
    if (table.smallest.compare(key) > 0 || table.largest.compare(key) < 0) continue;
    const answer = withTable(directory, table, (file) => file.get(key));
    if (answer) return answer.value;
  }
  return undefined;
}

/**
 * Checks all blocks of the tables of an open store. After each table, yields a sentence if it is damaged, else
 * undefined. Tables that LevelDB replaced in the meantime do not count.
 */
export async function* checkLiveTables(
  directory: string,
): AsyncGenerator<string | undefined, void, undefined> {
  for (const table of liveTables(directory)) {
    yield damageOf(directory, table);
  }
}

function damageOf(directory: string, table: TableInfo): string | undefined {
  try {
    withTable(directory, table, (file) => file.check('all'));
    return undefined;
  } catch (error) {
    const live = liveTables(directory).some(({ number }) => number === table.number);
    if (!live) return undefined;
    return isStoreError(error, 'store-damaged') || systemCode(error) ? messageOf(error) : undefined;
  }
}

function liveTables(directory: string): readonly TableInfo[] {
  const manifest = readFileSync(join(directory, 'CURRENT'), 'latin1').trim();
  return readManifest(readFileSync(join(directory, manifest))).tables;
}

/** The order in which LevelDB searches for a key: in level 0 the newest file first, then level by level. */
function newestFirst(tables: readonly TableInfo[]): readonly TableInfo[] {
  return [...tables].sort((a, b) => a.level - b.level || b.number - a.number);
}

/** Runs `look` on one table, and adds the table's name to any error. */
function withTable<T>(directory: string, info: TableInfo, look: (table: Table) => T): T {
  const name = `${String(info.number).padStart(6, '0')}.ldb`;
  const path = join(directory, name);
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined)
    throw storeDamaged(directory, `its table ${name} is gone, and with it all records in it`);
  if (size !== info.size) {
    throw storeDamaged(directory, `its table ${name} has ${size} bytes in place of ${info.size}`);
  }
  const table = new Table(path);
  try {
    return look(table);
  } catch (error) {
    if (systemCode(error)) throw error;
    throw storeDamaged(directory, `its table ${name} cannot be trusted: ${messageOf(error)}`, error);
  } finally {
    table.close();
  }
}
