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

export function createOutput(world: World): Output {
  return new WorldOutput(world);
}

class WorldOutput implements Output {
  readonly terminal: boolean;
  readonly drawsColour: boolean;
  readonly #world: World;
  readonly #bold: (text: string) => string;

  constructor(world: World) {
    const colourful = (world.environment.NO_COLOR ?? '') === '' && world.environment.TERM !== 'dumb';
    this.#world = world;
    this.terminal = world.output.isTTY === true;
    this.drawsColour = world.error.isTTY === true && colourful;
    this.#bold = (text) => (this.terminal && colourful ? painted('bold', text) : text);
  }

  line(text: string): void {
    this.#write(printable(text));
  }

  prose(text: string, hang?: number): void {
    for (const one of fold(printable(text), foldingColumns(this.#world.output), hang)) this.#write(one);
  }

  command(text: string): void {
    for (const one of foldCommand(printable(text), foldingColumns(this.#world.output))) this.#write(one);
  }

  table(heading: readonly string[], rows: readonly (readonly string[])[]): void {
    this.growingTable(heading).print(rows);
  }

  growingTable(heading: readonly string[]): Table {
    const drawn = createTable(heading, {
      columns: () => columnsOf(this.#world.output),
      line: (text) => this.#write(text),
      heading: (text) => this.#write(this.#bold(text)),
    });
    // A column without a title stays empty on a terminal: before a PAM line, "-" has a meaning.
    const nothing = (column: number) => (this.terminal && heading[column] === '' ? '' : '-');
    return {
      print: (rows) => {
        const cells = rows.map((row) => row.map((cell, column) => printable(cell) || nothing(column)));
        if (this.terminal) drawn.print(cells);
        else for (const row of cells) this.#write(row.join('\t'));
      },
    };
  }

  facts(pairs: readonly (readonly [string, string])[]): void {
    const shown = pairs.map(([name, value]) => [name, printable(value) || '-'] as const);
    if (this.terminal)
      for (const text of factLines(shown, columnsOf(this.#world.output), this.#bold)) this.#write(text);
    else for (const [name, value] of shown) this.#write(`${name}\t${value}`);
  }

  json<T>(value: T, times: Times<NoInfer<T>>): void {
    this.#write(printableJson(withTimes(value, times), 2));
  }

  jsonLine<T>(value: T, times: Times<NoInfer<T>>): void {
    this.#write(printableJson(withTimes(value, times)));
  }

  time(at: number): string {
    return this.terminal ? withHint(at, this.#world.now()) : isoUtc(at);
  }

  cellTime(at: number): string {
    return this.terminal ? plainTime(at) : isoUtc(at);
  }

  drained(): Promise<void> {
    const { output } = this.#world;
    if (output.writableNeedDrain !== true) return Promise.resolve();
    return new Promise((resolve) => output.once('drain', () => resolve()));
  }

  note(text: string): void {
    this.draw(this.#folded(printable(text)));
  }

  warn(text: string): void {
    this.#complain('yellow', `sallyport: warning: ${lines(text)}`);
  }

  error(text: string): void {
    this.#complain('red', `sallyport: ${lines(text)}`);
  }

  draw(text: string): void {
    this.#world.error.write(`${text}\n`);
  }

  /** lines() has already indented the lines after the first. */
  #complain(colour: 'yellow' | 'red', text: string): void {
    const whole = text
      .split('\n')
      .map((one, at) => this.#folded(one, at === 0 ? 2 : undefined))
      .join('\n');
    this.draw(this.drawsColour ? painted(colour, whole) : whole);
  }

  #folded(text: string, hang?: number): string {
    return fold(text, foldingColumns(this.#world.error), hang).join('\n');
  }

  #write(text: string): void {
    this.#world.output.write(`${text}\n`);
  }
}

function painted(format: 'bold' | 'yellow' | 'red', text: string): string {
  return styleText(format, text, { validateStream: false });
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
