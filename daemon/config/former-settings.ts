import type { KeyPath } from './locate.ts';
import { isTable } from './unknown-settings.ts';

/** Settings under former names: read as their present ones for one release, with a warning. */

type Names = Readonly<Record<string, string>>;

const auditNames: Names = { keep: 'max_age', keep_events: 'max_events', keep_bytes: 'max_bytes' };
const lockoutNames: Names = { codes: 'max_code_failures', any: 'max_failures', for: 'duration' };

export interface FormerSetting {
  /** As the file has it. */
  readonly path: KeyPath;
  readonly current: string;
  readonly value: unknown;
  /** The file has the present name too: which one is meant is not known. */
  readonly isDoubled: boolean;
}

export interface CurrentNames {
  /** The document with present names only. */
  readonly document: unknown;
  readonly former: readonly FormerSetting[];
}

export function withCurrentNames(document: unknown): CurrentNames {
  if (!isTable(document)) return { document, former: [] };
  const former: FormerSetting[] = [];
  const rename = (table: unknown, key: string, path: KeyPath, names: Names): unknown => {
    if (!isTable(table) || !Object.hasOwn(table, key)) return table;
    const inner = renamed(table[key], [...path, key], names);
    former.push(...inner.former);
    return inner.former.length === 0 ? table : { ...table, [key]: inner.table };
  };
  let result = rename(document, 'audit', [], auditNames);
  if (isTable(result) && Array.isArray(result.realm)) {
    const realms: readonly unknown[] = result.realm;
    const changed = realms.map((entry, index) => rename(entry, 'lockout', ['realm', index], lockoutNames));
    result = { ...result, realm: changed };
  }
  return { document: result, former };
}

function renamed(table: unknown, path: KeyPath, names: Names) {
  const former: FormerSetting[] = [];
  if (!isTable(table)) return { table, former };
  const entries = Object.entries(table).flatMap(([key, value]) => {
    const current = Object.hasOwn(names, key) ? names[key] : undefined;
    if (current === undefined) return [[key, value]];
    const isDoubled = Object.hasOwn(table, current);
    former.push({ path: [...path, key], current, value, isDoubled });
    return isDoubled ? [] : [[current, value]];
  });
  return { table: Object.fromEntries(entries), former };
}

/** The location of a setting in the file: a problem is reported under the name that was written. */
export function asWritten(path: KeyPath, former: readonly FormerSetting[]): KeyPath {
  const found = former.find(
    (one) =>
      !one.isDoubled && JSON.stringify([...one.path.slice(0, -1), one.current]) === JSON.stringify(path),
  );
  return found?.path ?? path;
}
