import type { KeyPath } from './locate.ts';
import { printableKey } from './problem.ts';

/** What this walk needs to see of a schema. */
export interface TableShape {
  readonly entries: Readonly<Record<string, unknown>>;
}

export interface StrangeKey {
  readonly path: KeyPath;
  /** unknown: no such key; not-a-table: a list or a date where a table belongs. */
  readonly kind: 'unknown' | 'not-a-table';
  readonly known: readonly string[];
}

/** Every key that the schema does not know, in this table and those inside it: valibot reports only one. */
export function strangeKeys(shape: TableShape, input: unknown, path: KeyPath): StrangeKey[] {
  const known = Object.keys(shape.entries);
  if (typeof input !== 'object' || input === null) return [];
  if (!isTable(input)) return [{ path, kind: 'not-a-table', known }];
  return Object.entries(input).flatMap(([key, value]): StrangeKey[] => {
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

/** The known name nearest to a misspelt one, or undefined when none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replaceAll('-', '_');
  const ranked = known
    .map((candidate) => ({ candidate, distance: distance(plain(name), plain(candidate)) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  if (best === undefined) return undefined;
  return best.distance <= Math.max(1, Math.floor(best.candidate.length / 3)) ? best.candidate : undefined;
}

/** Changes, insertions, deletions and swaps of neighbours (optimal string alignment). */
function distance(a: string, b: string): number {
  if (a.length > 64 || b.length > 64) return Math.abs(a.length - b.length) + 64;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (before[j - 2] ?? 0) + 1);
      }
      row.push(best);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

/** "a, b or c". */
export function namesOf(names: readonly string[]): string {
  const shown = names.map(printableKey);
  const last = shown.at(-1) ?? 'nothing';
  return shown.length < 2 ? last : `${shown.slice(0, -1).join(', ')} or ${last}`;
}
