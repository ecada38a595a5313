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
 * Output of commands. A terminal gets tables, colour and hints; a pipe gets the same facts, one record per line,
 * separated by tabs, without a heading, in stable columns.
 * Threat: names from elsewhere that steer the terminal. All texts are made printable here.
 */
export interface Output {
  /** Whether standard output is a terminal. */
  readonly terminal: boolean;
  /** Printed unchanged: texts to copy, and records for scripts. */
  line(text: string): void;
  /**
   * A text for users: folded between words on a terminal.
   * @param hang indentation of the lines after the first
   */
  prose(text: string, hang?: number): void;
  /** A command on separate lines, which a shell reads as one. */
  command(text: string): void;
  /** Rows under a heading, within the terminal width. An empty cell is `-`, except in a column without a title. */
  table(heading: readonly string[], rows: readonly (readonly string[])[]): void;
  /** A table whose rows arrive in parts. */
  growingTable(heading: readonly string[]): Table;
  /** Names and values; a pipe gets `name<TAB>value`. */
  facts(pairs: readonly (readonly [string, string])[]): void;
  /** @param times names the fields that are times */
  json<T>(value: T, times: Times<NoInfer<T>>): void;
  /** One JSON object on one line. */
  jsonLine<T>(value: T, times: Times<NoInfer<T>>): void;
  time(at: number): string;
  /** For a table cell: without the relative time, which is too wide. */
  cellTime(at: number): string;
  /** Resolves once the reader has consumed most of the output. */
  drained(): Promise<void>;
  /** Whether standard error is a terminal that takes colour. */
  readonly drawsColour: boolean;
  /** To standard error: for users, not for pipes. */
  note(text: string): void;
  warn(text: string): void;
  error(text: string): void;
  /** To standard error, unchanged: drawings. */
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
  /** lines() has already indented the lines after the first. */
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
        // A column without a title stays empty on a terminal: before a PAM line, "-" has a meaning.
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

/** Indents the lines after the first. */
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
