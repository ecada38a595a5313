import type { IncludeLine, ModuleLine } from './lines.ts';
import { moduleName, roleOf } from './modules.ts';
import { isOurs, type Stack } from './read.ts';

/** The line of a service's file that is changed: the include of the password check. */
export type PasswordLine =
  | { readonly kind: 'found'; readonly line: IncludeLine; readonly includes: readonly ModuleLine[] }
  /** The file asks for passwords itself, through several files, or not at all. */
  | { readonly kind: 'unclear'; readonly why: string };

export function passwordLine(stack: Stack): PasswordLine {
  const asking = stack.entries.flatMap((entry) =>
    entry.kind === 'module' && roleOf(entry.line) === 'first' ? [entry] : [],
  );
  const own = asking.find(({ via }) => via.length === 0);
  if (own !== undefined)
    return { kind: 'unclear', why: `it asks for passwords directly (line ${own.line.line})` };
  const [line, ...others] = new Set(asking.flatMap(({ via }) => via.slice(0, 1)));
  if (line === undefined) return { kind: 'unclear', why: 'it asks for no password in its auth part' };
  if (others.length > 0) return { kind: 'unclear', why: 'it asks for passwords through several files' };
  const includes = stack.entries.flatMap((entry) =>
    entry.kind === 'module' && entry.via[0] === line ? [entry.line] : [],
  );
  return { kind: 'found', line, includes };
}

/** Original rows of a file and the row that replaces them, without the final line end. */
export interface Swap {
  readonly original: string;
  readonly ours: string;
}

/** The line with another target: spaces, "-" and its comment stay. */
export function swapOf(text: string, line: IncludeLine, target: string): Swap {
  const rows = text.split('\n').slice(line.line - 1, line.lastLine);
  const row = rows.length === 1 ? (rows[0] ?? '') : line.text;
  // The name is the last word before the comment; the directory and the comment may contain the same word.
  const [, head = '', comment = ''] = /^([^#]*)(.*)$/s.exec(row) ?? [];
  const at = head.lastIndexOf(line.target);
  const ours = `${head.slice(0, at)}${target}${head.slice(at + line.target.length)}${comment}`;
  return { original: rows.join('\n'), ours };
}

/** @returns the text with a line replaced by those rows */
export function replaceLine(text: string, line: IncludeLine, by: string): string {
  const rows = text.split('\n');
  return [...rows.slice(0, line.line - 1), by, ...rows.slice(line.lastLine)].join('\n');
}

/** Sources of passwords other than /etc/shadow. */
export function otherSources(lines: readonly ModuleLine[]): readonly string[] {
  const names = lines.filter((line) => roleOf(line) === 'first').map(moduleName);
  return [...new Set(names.filter((name) => name !== 'unix'))];
}

/** Lines that the service no longer runs. A line with other options counts as different: it may refuse others. */
export function lostModules(before: readonly ModuleLine[], after: Stack): readonly ModuleLine[] {
  const asks = (line: ModuleLine) => [moduleName(line), ...line.options].join(' ');
  const kept = new Set(after.entries.flatMap((entry) => (entry.kind === 'module' ? [asks(entry.line)] : [])));
  const passive = new Set(['deny', 'permit', 'unix']);
  return before.filter((line) => !passive.has(moduleName(line)) && !isOurs(line) && !kept.has(asks(line)));
}
