/** How texts stand on a terminal: how wide they are, and where they may go on in the next line. Pure. */

/** Where the terminal does not say how wide it is. */
const usualColumns = 80;
/** Narrower than this nothing can be laid out. */
export const leastColumns = 20;

export function columnsOf(stream: { readonly columns?: number }): number {
  return Math.max(leastColumns, stream.columns || usualColumns);
}

/** Letters of East Asia and pictures take two columns. */
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
/** Marks stand on the letter before them. */
const mark = /\p{Mn}|\p{Me}/u;

/** In columns of the terminal. */
export function widthOf(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += mark.test(character) ? 0 : wide.test(character) ? 2 : 1;
  return width;
}

export function padded(text: string, to: number): string {
  return text + ' '.repeat(Math.max(0, to - widthOf(text)));
}

/** Between words, and behind a comma. */
const breaks = /( +|(?<=,)(?=[^ ]))/;

/** What is never taken apart. */
export function wordsOf(text: string): readonly string[] {
  return text.split(breaks).filter((piece) => piece.trim() !== '');
}

/**
 * The text in lines of that width. A word that is longer has a line of its own, and is whole: what is copied from
 * the terminal is what was printed. Blanks at the beginning stand before each line.
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
