/** A unified diff as `diff -u` writes it; made for files of some hundred lines. */

interface Row {
  readonly sign: ' ' | '-' | '+';
  readonly text: string;
}

const context = 3;

/** @param before, after the whole texts; undefined if the file does not exist */
export function unifiedDiff(
  path: string,
  before: string | undefined,
  after: string | undefined,
): readonly string[] {
  const rows = compared(linesOf(before), linesOf(after));
  const hunks = hunksOf(rows);
  if (hunks.length === 0) return [];
  return [
    `--- ${before === undefined ? '/dev/null' : path}`,
    `+++ ${after === undefined ? '/dev/null' : path}`,
    ...hunks.flatMap(([from, to]) => [headOf(rows, from, to), ...rows.slice(from, to).map(written)]),
  ];
}

const noNewline = '\n\\ No newline at end of file';

function linesOf(text: string | undefined): readonly string[] {
  if (text === undefined || text === '') return [];
  const lines = text.split('\n');
  if (lines.at(-1) === '') return lines.slice(0, -1);
  return [...lines.slice(0, -1), `${lines.at(-1) ?? ''}${noNewline}`];
}

const written = ({ sign, text }: Row): string => `${sign}${text}`;

/** Strips the common beginning and end, then finds the longest common subsequence. */
function compared(before: readonly string[], after: readonly string[]): readonly Row[] {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  const same = (text: string): Row => ({ sign: ' ', text });
  return [
    ...before.slice(0, head).map(same),
    ...middle(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...before.slice(before.length - tail).map(same),
  ];
}

function middle(before: readonly string[], after: readonly string[]): readonly Row[] {
  const width = after.length + 1;
  const longest = new Uint16Array((before.length + 1) * width);
  const at = (i: number, j: number) => longest[i * width + j] ?? 0;
  for (let i = before.length - 1; i >= 0; i -= 1)
    for (let j = after.length - 1; j >= 0; j -= 1)
      longest[i * width + j] =
        before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const rows: Row[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    const [old, fresh] = [before[i], after[j]];
    if (old !== undefined && old === fresh) {
      rows.push({ sign: ' ', text: old });
      i += 1;
      j += 1;
    } else if (old !== undefined && (fresh === undefined || at(i + 1, j) >= at(i, j + 1))) {
      rows.push({ sign: '-', text: old });
      i += 1;
    } else {
      rows.push({ sign: '+', text: fresh ?? '' });
      j += 1;
    }
  }
  return rows;
}

/** Row ranges with three lines of context around each change. */
function hunksOf(rows: readonly Row[]): readonly (readonly [number, number])[] {
  const found: [number, number][] = [];
  for (const [index, { sign }] of rows.entries()) {
    if (sign === ' ') continue;
    const from = Math.max(0, index - context);
    const to = Math.min(rows.length, index + context + 1);
    const last = found.at(-1);
    if (last !== undefined && from <= last[1]) last[1] = to;
    else found.push([from, to]);
  }
  return found;
}

function headOf(rows: readonly Row[], from: number, to: number): string {
  const range = (other: '-' | '+') => {
    const mine = (row: Row) => row.sign === ' ' || row.sign === other;
    const start = rows.slice(0, from).filter(mine).length;
    const count = rows.slice(from, to).filter(mine).length;
    return `${other}${count === 0 ? start : start + 1}${count === 1 ? '' : `,${count}`}`;
  };
  return `@@ ${range('-')} ${range('+')} @@`;
}
