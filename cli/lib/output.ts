import { styleText } from 'node:util';
import type { FactorSummary } from '../../daemon/api/views.ts';
import { columnsOf } from './columns.ts';
import type { World } from './environment.ts';
import { fold, foldCommand, foldingColumns } from './fold.ts';
import { type Times, withTimes } from './json-times.ts';
import { createTable, factLines, type Table } from './table.ts';
import { printable, printableJson } from './text.ts';
import { isoUtc, plainTime, withHint } from './time.ts';

/**
 * What commands print. A terminal gets tables, colour and hints; a pipe gets the same facts plain, one
 * record a line, parted by tabs, without a heading and without ever changing its columns.
 * Whatever may be somebody else's words is made printable here.
 */
export interface Output {
  /** Whether standard output is a terminal. */
  readonly terminal: boolean;
  /** As it stands: what is copied whole, and records for scripts. */
  line(text: string): void;
  /**
   * For people to read: a terminal gets it broken between words.
   * @param hang how far the lines after the first are set in
   */
  prose(text: string, hang?: number): void;
  /** A command on lines of its own, which a shell takes for one. */
  command(text: string): void;
  /** Rows under a heading, within the columns of the terminal. `-` stands for nothing, but in a column of marks. */
  table(heading: readonly string[], rows: readonly (readonly string[])[]): void;
  /** The same for rows that come bit by bit. */
  growingTable(heading: readonly string[]): Table;
  /** Names and what they are; a pipe gets `name<TAB>value`. */
  facts(pairs: readonly (readonly [string, string])[]): void;
  /** @param times where times stand in it */
  json<T>(value: T, times: Times<NoInfer<T>>): void;
  /** One JSON object on one line. */
  jsonLine<T>(value: T, times: Times<NoInfer<T>>): void;
  time(at: number): string;
  /** For a cell of a table: a terminal gets no hint how long ago that is, for the want of room. */
  cellTime(at: number): string;
  /** Resolves once whoever reads has taken most of what was printed. */
  drained(): Promise<void>;
  /** Whether standard error is a terminal that takes colour. */
  readonly drawsColour: boolean;
  /** To standard error: what is for people and not for pipes. */
  note(text: string): void;
  warn(text: string): void;
  error(text: string): void;
  /** To standard error as it stands: drawings. */
  draw(text: string): void;
}

type Format = 'bold' | 'yellow' | 'red';

export function createOutput(world: World): Output {
  const terminal = world.output.isTTY === true;
  const colourful = (world.environment.NO_COLOR ?? '') === '' && world.environment.TERM !== 'dumb';
  const paint = (format: Format, text: string, on: boolean | undefined): string =>
    on === true && colourful ? styleText(format, text, { validateStream: false }) : text;
  const line = (text: string) => void world.output.write(`${text}\n`);
  const complain = (text: string) => void world.error.write(`${text}\n`);
  const folded = (text: string, hang?: number) => fold(text, foldingColumns(world.error), hang).join('\n');
  /** The lines after the first are set in by lines() already. */
  const foldedLines = (text: string) =>
    text
      .split('\n')
      .map((one, at) => folded(one, at === 0 ? 2 : undefined))
      .join('\n');
  const bold = (text: string) => paint('bold', text, terminal);
  const growingTable = (heading: readonly string[]): Table => {
    const drawn = createTable(heading, {
      columns: () => columnsOf(world.output),
      line,
      heading: (text) => line(bold(text)),
    });
    return {
      print(rows) {
        // A terminal shows no sign for a mark that is not there: before a line of PAM, "-" has a meaning.
        const nothing = (column: number) => (terminal && heading[column] === '' ? '' : '-');
        const cells = rows.map((row) => row.map((cell, column) => printable(cell) || nothing(column)));
        if (terminal) drawn.print(cells);
        else for (const row of cells) line(row.join('\t'));
      },
    };
  };

  return {
    terminal,
    drawsColour: world.error.isTTY === true && colourful,
    line: (text) => line(printable(text)),
    prose(text, hang) {
      for (const one of fold(printable(text), foldingColumns(world.output), hang)) line(one);
    },
    command(text) {
      for (const one of foldCommand(printable(text), foldingColumns(world.output))) line(one);
    },
    table: (heading, rows) => growingTable(heading).print(rows),
    growingTable,
    facts(pairs) {
      const shown = pairs.map(([name, value]) => [name, printable(value) || '-'] as const);
      if (!terminal) for (const [name, value] of shown) line(`${name}\t${value}`);
      else for (const text of factLines(shown, columnsOf(world.output), bold)) line(text);
    },
    json: (value, times) => line(printableJson(withTimes(value, times), 2)),
    jsonLine: (value, times) => line(printableJson(withTimes(value, times))),
    drained: () =>
      world.output.writableNeedDrain === true
        ? new Promise((resolve) => world.output.once('drain', () => resolve()))
        : Promise.resolve(),
    time: (at) => (terminal ? withHint(at, world.now()) : isoUtc(at)),
    cellTime: (at) => (terminal ? plainTime(at) : isoUtc(at)),
    note: (text) => complain(folded(printable(text))),
    warn: (text) =>
      complain(paint('yellow', foldedLines(`sallyport: warning: ${lines(text)}`), world.error.isTTY)),
    error: (text) => complain(paint('red', foldedLines(`sallyport: ${lines(text)}`), world.error.isTTY)),
    draw: (text) => complain(text),
  };
}

/** Messages of several lines keep them, set in. */
function lines(text: string): string {
  return text.split('\n').map(printable).join('\n  ');
}

export function factorTable(output: Output, factors: readonly FactorSummary[]): void {
  output.table(
    ['ID', 'KIND', 'NAME', 'STATE', 'ADDED', 'LAST USED', 'DETAIL'],
    factors.map((factor) => [
      factor.id,
      factor.kind,
      factor.name,
      factor.enabled ? 'enabled' : 'disabled',
      output.cellTime(factor.created),
      factor.lastUsed === undefined ? '' : output.cellTime(factor.lastUsed),
      factor.detail,
    ]),
  );
}
