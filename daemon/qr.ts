import { encode } from 'uqr';

/** Modules of white around the code, as ISO/IEC 18004 asks for. */
const usualQuietZone = 4;

export interface QrOptions {
  /** Says black and white by colour codes, so that dark and light terminals show the same. */
  readonly colour: boolean;
  readonly columns: number;
  /** Modules around it, where room is dear; 4 by default. */
  readonly quietZone?: number;
}

/**
 * A QR code in half blocks, two rows of modules a line.
 * Without colour a drawn block is white, which is right on a dark terminal; most apps read both.
 * @returns undefined: the terminal is too narrow for it
 */
export function qrCode(text: string, options: QrOptions): string | undefined {
  const { quietZone = usualQuietZone } = options;
  const { data, size } = encode(text, { ecc: 'L', border: 0 });
  const side = size + 2 * quietZone;
  if (side > options.columns) return undefined;
  const white = (row: number, column: number) => data[row - quietZone]?.[column - quietZone] !== true;
  const lines: string[] = [];
  for (let row = 0; row < side; row += 2) {
    let line = '';
    for (let column = 0; column < side; column += 1)
      line += block(white(row, column), row + 1 < side && white(row + 1, column));
    lines.push(options.colour ? `\x1b[97;40m${line}\x1b[0m` : line);
  }
  return lines.join('\n');
}

function block(above: boolean, below: boolean): string {
  if (above) return below ? '█' : '▀';
  return below ? '▄' : ' ';
}
