import type { IncludeLine, ModuleLine } from './lines.ts';
import { moduleName, roleOf } from './modules.ts';
import { isOurs, type Stack } from './read.ts';

/** The one line of a service's file that is changed: the one that includes how passwords are asked. */
export type PasswordLine =
  | { readonly kind: 'found'; readonly line: IncludeLine; readonly includes: readonly ModuleLine[] }
  /** Passwords are asked in the file itself, in several files, or not at all. */
  | { readonly kind: 'unclear'; readonly why: string };

export function passwordLine(stack: Stack): PasswordLine {
  const asking = stack.entries.flatMap((entry) =>
    entry.kind === 'module' && roleOf(entry.line) === 'first' ? [entry] : [],
  );
  const own = asking.find(({ via }) => via.length === 0);
  if (own !== undefined)
    return { kind: 'unclear', why: `it asks for passwords in a line of its own (line ${own.line.line})` };
  const [line, ...others] = new Set(asking.flatMap(({ via }) => via.slice(0, 1)));
  if (line === undefined) return { kind: 'unclear', why: 'it asks for no password in its auth part' };
  if (others.length > 0) return { kind: 'unclear', why: 'it asks for passwords through several files' };
  const includes = stack.entries.flatMap((entry) =>
    entry.kind === 'module' && entry.via[0] === line ? [entry.line] : [],
  );
  return { kind: 'found', line, includes };
}

/** Rows as they stand in a file, and the one row that stands there in their place. Without the last row's end. */
export interface Swap {
  readonly original: string;
  readonly ours: string;
}

/** The same line with another file in it: spaces, "-" and a comment behind it stay. */
export function swapOf(text: string, line: IncludeLine, target: string): Swap {
  const rows = text.split('\n').slice(line.line - 1, line.lastLine);
  const row = rows.length === 1 ? (rows[0] ?? '') : line.text;
  // The name stands last before the comment; a directory or a comment may hold the same word.
  const [, head = '', comment = ''] = /^([^#]*)(.*)$/s.exec(row) ?? [];
  const at = head.lastIndexOf(line.target);
  const ours = `${head.slice(0, at)}${target}${head.slice(at + line.target.length)}${comment}`;
  return { original: rows.join('\n'), ours };
}

/** @returns the text with those rows in the place of a line */
export function replaceLine(text: string, line: IncludeLine, by: string): string {
  const rows = text.split('\n');
  return [...rows.slice(0, line.line - 1), by, ...rows.slice(line.lastLine)].join('\n');
}

/** Other places that passwords come from than /etc/shadow. */
export function otherSources(lines: readonly ModuleLine[]): readonly string[] {
  const names = lines.filter((line) => roleOf(line) === 'first').map(moduleName);
  return [...new Set(names.filter((name) => name !== 'unix'))];
}

/** Lines that the service no longer comes by. A line with other options is another one: it may refuse others. */
export function lostModules(before: readonly ModuleLine[], after: Stack): readonly ModuleLine[] {
  const asks = (line: ModuleLine) => [moduleName(line), ...line.options].join(' ');
  const kept = new Set(after.entries.flatMap((entry) => (entry.kind === 'module' ? [asks(entry.line)] : [])));
  const passive = new Set(['deny', 'permit', 'unix']);
  return before.filter((line) => !passive.has(moduleName(line)) && !isOurs(line) && !kept.has(asks(line)));
}
