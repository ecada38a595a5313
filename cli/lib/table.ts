import { padded, widthOf, wordsOf, wrapped } from './columns.ts';

/**
 * Tables on a terminal. Invariants:
 * - no line is wider than the terminal, unless a single word is;
 * - no cell is shortened and no word is broken: names and links can be copied;
 * - a row that does not fit is printed as a block, "NAME: value".
 */

export interface Table {
  /** Prints more rows. Columns may be wider than for the rows before. */
  print(rows: readonly (readonly string[])[]): void;
}

export interface TableOptions {
  readonly columns: () => number;
  readonly line: (text: string) => void;
  readonly heading: (text: string) => void;
}

const between = '  ';
/** A longer word does not widen its column at the cost of others: its row is printed as a block. */
const usualWord = 16;
interface Measure {
  /** Width of the longest cell. */
  natural: number;
  /** Width of the longest word. */
  word: number;
  /** Width of the longest word within the limit for columns. */
  least: number;
}

export function createTable(titles: readonly string[], { columns, line, heading }: TableOptions): Table {
  const measures: readonly Measure[] = titles.map((title) => measureOf([title]));
  let widths: readonly number[] | undefined;
  let laidOutFor = 0;

  const layOutAgain = (rows: readonly (readonly string[])[], width: number) => {
    for (const row of rows)
      for (const [column, measure] of measures.entries()) enlarge(measure, row[column] ?? '');
    const shared = shareOut(measures, width);
    const isOfUse = shared !== undefined && (rows.length === 0 || rows.some((row) => fits(row, shared)));
    const before = widths;
    widths = isOfUse ? shared : undefined;
    laidOutFor = width;
    if (widths === undefined || String(widths) === String(before)) return;
    for (const text of rowLines(titles, widths)) heading(text);
  };

  return {
    print(rows) {
      const width = columns();
      const isLaidOut = widths !== undefined && width === laidOutFor;
      if (!isLaidOut || !rows.every((row) => fits(row, widths ?? []))) layOutAgain(rows, width);
      for (const row of rows) {
        const lines =
          widths !== undefined && fits(row, widths) ? rowLines(row, widths) : blockLines(titles, row, width);
        for (const text of lines) line(text);
      }
    },
  };
}

/** Names and values: each value beside its name, or below it if its words do not fit. */
export function factLines(
  pairs: readonly (readonly [string, string])[],
  columns: number,
  bold: (text: string) => string,
): readonly string[] {
  const longest = pairs.reduce((most, [name]) => Math.max(most, widthOf(name)), 0);
  const width = columns - longest - between.length;
  return pairs.flatMap(([name, value]) => {
    if (wordsOf(value).some((word) => widthOf(word) > width))
      return [bold(name), ...wrapped(`${between}${value}`, columns)];
    const [first = '', ...more] = wrapped(value, width);
    const indent = ' '.repeat(longest + between.length);
    return [`${bold(padded(name, longest))}${between}${first}`, ...more.map((text) => indent + text)];
  });
}

function measureOf(texts: readonly string[]): Measure {
  const measure = { natural: 0, word: 0, least: 0 };
  for (const text of texts) enlarge(measure, text);
  return measure;
}

function enlarge(measure: Measure, text: string): void {
  measure.natural = Math.max(measure.natural, widthOf(text));
  const indent = text.length - text.trimStart().length;
  for (const word of wordsOf(text)) {
    const width = indent + widthOf(word);
    measure.word = Math.max(measure.word, width);
    if (width <= usualWord) measure.least = Math.max(measure.least, width);
  }
}

/** @returns undefined if not even the longest words fit beside each other */
function shareOut(measures: readonly Measure[], columns: number): readonly number[] | undefined {
  const widths = measures.map(({ least }) => least);
  const width = columns - between.length * (measures.length - 1);
  const left = () => width - widths.reduce((sum, width) => sum + width, 0);
  if (left() < 0) return undefined;
  // Reserve space for whole words first, then for whole cells; the narrowest column first.
  for (const wanted of ['word', 'natural'] as const)
    for (let more = left(); more > 0; more -= 1) {
      let narrowest: number | undefined;
      for (const [column, measure] of measures.entries())
        if (
          (widths[column] ?? 0) < measure[wanted] &&
          (narrowest === undefined || (widths[column] ?? 0) < (widths[narrowest] ?? 0))
        )
          narrowest = column;
      if (narrowest === undefined) break;
      widths[narrowest] = (widths[narrowest] ?? 0) + 1;
    }
  return widths;
}

function fits(row: readonly string[], widths: readonly number[]): boolean {
  return row.every((cell, column) => {
    const width = widths[column] ?? 0;
    if (widthOf(cell) <= width) return true;
    const indent = cell.length - cell.trimStart().length;
    return wordsOf(cell).every((word) => indent + widthOf(word) <= width);
  });
}

function rowLines(row: readonly string[], widths: readonly number[]): readonly string[] {
  const cells = row.map((cell, column) => wrapped(cell, widths[column] ?? 0));
  const height = cells.reduce((most, lines) => Math.max(most, lines.length), 0);
  return Array.from({ length: height }, (_, at) =>
    cells
      .map((lines, column) => padded(lines[at] ?? '', widths[column] ?? 0))
      .join(between)
      .trimEnd(),
  );
}

/** A row as a block: the first cell, then the others; empty cells are left out. */
function blockLines(titles: readonly string[], row: readonly string[], columns: number): readonly string[] {
  const pairs: string[] = [];
  let mark = '';
  for (const [column, cell] of row.entries()) {
    const title = titles[column] ?? '';
    if (cell === '-' || cell === '') continue;
    if (title === '') mark = `${cell} `;
    else {
      pairs.push(`${mark}${title}: ${cell.trim()}`);
      mark = '';
    }
  }
  const [first = '', ...rest] = pairs;
  const lines = [...hanging(first, '', columns)];
  let line = '';
  for (const pair of rest) {
    const longer = line === '' ? `${between}${pair}` : `${line}${between}${pair}`;
    if (widthOf(longer) <= columns) {
      line = longer;
      continue;
    }
    if (line !== '') lines.push(line);
    const wrappedPair = hanging(pair, between, columns);
    lines.push(...wrappedPair.slice(0, -1));
    line = wrappedPair.at(-1) ?? '';
  }
  return line === '' ? lines : [...lines, line];
}

/** Continuation lines are indented further. */
function hanging(text: string, indent: string, columns: number): readonly string[] {
  const [first = '', ...more] = wrapped(text, columns - indent.length);
  const rest = more.length === 0 ? [] : wrapped(text.slice(first.length).trim(), columns - indent.length - 4);
  return [indent + first, ...rest.map((one) => `${indent}    ${one}`)];
}
