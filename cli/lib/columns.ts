/** Width and line breaking of texts on a terminal. Pure. */

/** Width of a terminal that does not report one. */
const usualColumns = 80;
/** Minimum width for a layout. */
export const leastColumns = 20;

export function columnsOf(stream: { readonly columns?: number }): number {
  return Math.max(leastColumns, stream.columns || usualColumns);
}

/** East Asian letters and emoji take two columns. */
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
/** Combining marks take no column. */
const mark = /\p{Mn}|\p{Me}/u;

/** Width in terminal columns. */
export function widthOf(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += mark.test(character) ? 0 : wide.test(character) ? 2 : 1;
  return width;
}

export function padded(text: string, to: number): string {
  return text + ' '.repeat(Math.max(0, to - widthOf(text)));
}

/** A line may break between words, and after a comma. */
const breaks = /( +|(?<=,)(?=[^ ]))/;

/** The parts of a text that are never broken. */
export function wordsOf(text: string): readonly string[] {
  return text.split(breaks).filter((piece) => piece.trim() !== '');
}

/**
 * Breaks the text into lines of that width. A longer word gets a separate line and is not broken: text copied from
 * the terminal is the text printed. Leading blanks indent every line.
 */
export function wrapped(text: string, width: number): readonly string[] {
  if (widthOf(text) <= width) return [text];
  const indent = ' '.repeat(text.length - text.trimStart().length);
  const [first = '', ...rest] = text.trim().split(breaks);
  const lines: string[] = [];
  let line = indent + first;
  for (let at = 0; at + 1 < rest.length; at += 2) {
    const [blank = '', word = ''] = rest.slice(at, at + 2);
    if (widthOf(line + blank + word) <= width) line += blank + word;
    else {
      lines.push(line);
      line = indent + word;
    }
  }
  return [...lines, line];
}
