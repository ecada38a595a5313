import { styleText } from 'node:util';
import { printable, printableJson } from './text.ts';
import { isoLocal, withHint } from './time.ts';
import type { World } from './world.ts';

/**
 * What commands print. A terminal gets tables, colour and hints; a pipe gets the same facts plain, one
 * record a line, parted by tabs, without a heading and without ever changing its columns.
 * Whatever may be somebody else's words is made printable here.
 */
export interface Output {
  /** Whether standard output is a terminal. */
  readonly terminal: boolean;
  line(text: string): void;
  /** Rows under a heading. `-` stands for nothing. */
  table(heading: readonly string[], rows: readonly (readonly string[])[]): void;
  /** Names and what they are; a pipe gets `name<TAB>value`. */
  facts(pairs: readonly (readonly [string, string])[]): void;
  json(value: unknown): void;
  /** One JSON object on one line. */
  jsonLine(value: unknown): void;
  time(at: number): string;
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

  return {
    terminal,
    drawsColour: world.error.isTTY === true && colourful,
    line: (text) => line(printable(text)),
    table(heading, rows) {
      const cells = rows.map((row) => row.map((cell) => printable(cell) || '-'));
      if (!terminal) {
        for (const row of cells) line(row.join('\t'));
        return;
      }
      const widths = heading.map((title, column) =>
        Math.max(width(title), ...cells.map((row) => width(row[column] ?? ''))),
      );
      const align = (row: readonly string[]) =>
        row
          .map((cell, column) => padded(cell, widths[column] ?? 0))
          .join('  ')
          .trimEnd();
      line(paint('bold', align(heading), terminal));
      for (const row of cells) line(align(row));
    },
    facts(pairs) {
      const longest = Math.max(0, ...pairs.map(([name]) => name.length));
      for (const [name, value] of pairs) {
        const shown = printable(value) || '-';
        line(terminal ? `${paint('bold', name.padEnd(longest), terminal)}  ${shown}` : `${name}\t${shown}`);
      }
    },
    json: (value) => line(printableJson(value, 2)),
    jsonLine: (value) => line(printableJson(value)),
    drained: () =>
      world.output.writableNeedDrain === true
        ? new Promise((resolve) => world.output.once('drain', () => resolve()))
        : Promise.resolve(),
    time: (at) => (terminal ? withHint(at, world.now()) : isoLocal(at)),
    note: (text) => complain(printable(text)),
    warn: (text) => complain(paint('yellow', `sallyport: warning: ${lines(text)}`, world.error.isTTY)),
    error: (text) => complain(paint('red', `sallyport: ${lines(text)}`, world.error.isTTY)),
    draw: (text) => complain(text),
  };
}

/** Messages of several lines keep them, set in. */
function lines(text: string): string {
  return text.split('\n').map(printable).join('\n  ');
}

/** In characters. Wide ones may set a column off by one; nothing depends on it. */
function width(text: string): number {
  return [...text].length;
}

function padded(text: string, to: number): string {
  return text + ' '.repeat(Math.max(0, to - width(text)));
}
