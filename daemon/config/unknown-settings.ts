import type { KeyPath } from './locate.ts';
import { printableKey } from './problem.ts';

/** What this walk needs to see of a schema. */
export interface TableShape {
  readonly entries: Readonly<Record<string, unknown>>;
}

export interface UnknownSetting {
  readonly path: KeyPath;
  /** unknown: no such key; not-a-table: a list or a date where a table belongs. */
  readonly kind: 'unknown' | 'not-a-table';
  readonly known: readonly string[];
}

/** Every key that the schema does not know, in this table and those inside it: valibot reports only one. */
export function strangeKeys(shape: TableShape, input: unknown, path: KeyPath): UnknownSetting[] {
  const known = Object.keys(shape.entries);
  if (typeof input !== 'object' || input === null) return [];
  if (!isTable(input)) return [{ path, kind: 'not-a-table', known }];
  return Object.entries(input).flatMap(([key, value]): UnknownSetting[] => {
    if (!Object.hasOwn(shape.entries, key)) return [{ path: [...path, key], kind: 'unknown', known }];
    const inner = tableShapeOf(shape.entries[key]);
    return inner === undefined ? [] : strangeKeys(inner, value, [...path, key]);
  });
}

export function isTable(input: unknown): input is Record<string, unknown> {
  return typeof input === 'object' && input !== null && !Array.isArray(input) && !(input instanceof Date);
}

function tableShapeOf(schema: unknown): TableShape | undefined {
  if (typeof schema !== 'object' || schema === null) return undefined;
  if ('wrapped' in schema) return tableShapeOf(schema.wrapped);
  if (!('entries' in schema) || !isTable(schema.entries)) return undefined;
  return { entries: schema.entries };
}

/** "a, b or c". */
export function namesOf(names: readonly string[]): string {
  const shown = names.map(printableKey);
  const last = shown.at(-1) ?? 'nothing';
  return shown.length < 2 ? last : `${shown.slice(0, -1).join(', ')} or ${last}`;
}
