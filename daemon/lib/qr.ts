import { encode } from 'uqr';

/** What a picture may take up. */
export interface Space {
  readonly columns: number;
  readonly rows: number;
  /** In UTF-8. */
  readonly bytes?: number;
}

export interface QrOptions extends Space {
  /**
   * colours: black and white are said by colour codes, and dark and light terminals show the same. plain: without codes
   * the same picture is right on one of them and inverted on the other, which most readers refuse; so both are shown
   * side by side if there is enough space.
   */
  readonly style: 'colours' | 'plain';
}

/** Modules of white around a code. ISO/IEC 18004 asks for 4; readers take less, and rows are what is short. */
interface QuietZone {
  readonly sides: number;
  readonly ends: number;
}

const usualZone: QuietZone = { sides: 4, ends: 4 };
const lowZone: QuietZone = { sides: 4, ends: 2 };
const narrowZone: QuietZone = { sides: 1, ends: 1 };
/** Columns that a terminal has to leave blank at the right of a picture that is not drawn there. */
const margin = 2;

/**
 * A QR code in half blocks, two rows of modules a line.
 * @param texts what it may say, the best first: shorter ones need less space
 * @returns undefined: there is no room for it
 */
export function qrCode(texts: readonly string[], options: QrOptions): string | undefined {
  const layouts =
    options.style === 'colours'
      ? [usualZone, lowZone].map((zone) => (text: string) => coloured(text, zone))
      : [
          ...[usualZone, narrowZone].map((zone) => (text: string) => both(text, zone)),
          ...[usualZone, lowZone].map((zone) => (text: string) => forDark(text, zone)),
        ];
  for (const layout of layouts)
    for (const text of texts) {
      const { lines, columns } = layout(text);
      const picture = lines.join('\n');
      const fits = columns <= options.columns && lines.length <= options.rows;
      if (fits && Buffer.byteLength(picture) <= (options.bytes ?? Infinity)) return picture;
    }
  return undefined;
}

interface Picture {
  readonly lines: readonly string[];
  readonly columns: number;
}

/** Black on white: where a terminal leaves a gap between lines, it is white. Terminals without bright white keep 47. */
function coloured(text: string, zone: QuietZone): Picture {
  const { isBlack, columns, rows } = modulesOf(text, zone);
  const lines = drawn(columns, rows, isBlack);
  return { lines: lines.map((line) => `\x1b[30;47;107m${line}\x1b[0m`), columns };
}

/** A drawn block is white: right where the terminal is dark. */
function forDark(text: string, zone: QuietZone): Picture {
  const { isBlack, columns, rows } = modulesOf(text, zone);
  const lines = drawn(columns, rows, (row, column) => row < rows && !isBlack(row, column));
  return { lines, columns };
}

/** That for dark terminals, and beside it one of which the blocks are black, for light ones. */
function both(text: string, zone: QuietZone): Picture {
  const { isBlack, columns, rows } = modulesOf(text, zone);
  const left = forDark(text, zone).lines;
  const right = drawn(columns, rows, isBlack);
  const lines = left.map((line, index) => `${line}${right[index] ?? ''}`.trimEnd());
  return { lines, columns: 2 * columns - zone.sides + margin };
}

function modulesOf(text: string, { sides, ends }: QuietZone) {
  const { data, size } = encode(text, { ecc: 'L', border: 0 });
  return {
    isBlack: (row: number, column: number) => data[row - ends]?.[column - sides] === true,
    columns: size + 2 * sides,
    rows: size + 2 * ends,
  };
}

function drawn(columns: number, rows: number, isDrawn: (row: number, column: number) => boolean): string[] {
  const lines: string[] = [];
  for (let row = 0; row < rows; row += 2) {
    let line = '';
    for (let column = 0; column < columns; column += 1)
      line += block(isDrawn(row, column), isDrawn(row + 1, column));
    lines.push(line);
  }
  return lines;
}

function block(above: boolean, below: boolean): string {
  if (above) return below ? '█' : '▀';
  return below ? '▄' : ' ';
}
