import { leastColumns, widthOf } from './columns.ts';

/**
 * Folds sentences for a terminal that is narrower. Pure. Invariants:
 * - no line is wider than the terminal, unless a single word is, and no word is broken;
 * - a command that fits on a line stays on one line; a longer one continues after a backslash. A shell that it is
 *   pasted into must never run its first half: without --try, a change of a stack is permanent.
 */

/**
 * @param columns of the terminal; undefined or 0 if unknown: the text is unchanged
 * @param hang indentation of the lines after the first; default: the column of the value in `name  value`
 */
export function fold(text: string, columns: number | undefined, hang = hangOf(text)): readonly string[] {
  const width = foldingWidth(text, columns);
  if (width === undefined) return [text];
  const [name = ''] = label.exec(text) ?? [];
  if (name === '' || hang <= width / 2) return filled(unitsOf(text), text, width, hang);
  // The value does not fit beside its name.
  const under = leadOf(text) + 4;
  const value = ' '.repeat(under) + text.slice(name.length);
  return [name.trimEnd(), value].flatMap((one) => fold(one, columns, under));
}

/** Folds a text that is one command or an address. */
export function foldCommand(text: string, columns: number | undefined): readonly string[] {
  const width = foldingWidth(text, columns);
  return width === undefined ? [text] : filled([spacedWords(text)], text, width, hangOf(text));
}

/**
 * Folds a text of several lines. A paragraph broken by hand for a wider terminal is filled again.
 * @param ofIndented folds an indented line
 */
export function foldText(
  text: string,
  columns: number | undefined,
  ofIndented: typeof foldCommand = fold,
): string {
  return paragraphsOf(text)
    .flatMap((lines) => {
      const [first = ''] = lines;
      if (first.startsWith(' ')) return ofIndented(first, columns);
      const fits = lines.every((line) => fold(line, columns).length === 1);
      return fits ? lines : fold(lines.join(' '), columns);
    })
    .join('\n');
}

/** @returns the width to fold to; undefined if this is not a terminal: lines are unchanged */
export function foldingColumns(stream: {
  readonly isTTY?: boolean;
  readonly columns?: number;
}): number | undefined {
  return stream.isTTY === true ? stream.columns : undefined;
}

/** @returns undefined if the text fits */
function foldingWidth(text: string, columns = 0): number | undefined {
  return columns < leastColumns || widthOf(text) <= columns ? undefined : columns;
}

interface Word {
  /** The blanks before it. */
  readonly blank: string;
  readonly text: string;
}

/** Words kept on one line if they fit: a single word, or a command. */
type Unit = readonly Word[];

const goesOn = ' \\';

function filled(units: readonly Unit[], text: string, columns: number, hang: number): readonly string[] {
  const lead = leadOf(text);
  const further = hang > columns / 2 ? lead : hang;
  /** A long word gets less indentation, so that it fits. */
  const setIn = (by: number, word: string, rest: number) =>
    ' '.repeat(Math.max(0, Math.min(by, columns - widthOf(word) - rest))) + word;
  const lines: string[] = [];
  let line: string | undefined;
  for (const unit of units) {
    const parts = partsOf(unit, columns);
    for (const [at, part] of parts.entries()) {
      const rest = at < parts.length - 1 ? goesOn.length : 0;
      if (line === undefined) line = setIn(lead, part.text, rest);
      else if (widthOf(line + part.blank + part.text) + rest <= columns) line += part.blank + part.text;
      else {
        lines.push(at === 0 ? line : line + goesOn);
        line = setIn(further, part.text, rest);
      }
    }
  }
  return line === undefined ? lines : [...lines, line];
}

function partsOf(unit: Unit, columns: number): readonly Word[] {
  const text = unit.map(({ blank, text }, at) => (at === 0 ? text : blank + text)).join('');
  return widthOf(text) <= columns ? [{ blank: unit[0]?.blank ?? '', text }] : unit;
}

/** Programs that texts of the CLI tell users to run. */
const beginsCommand =
  /^["(]?(?:sallyport|systemctl|journalctl|chmod|chown|passwd|groupadd|usermod|getent|apt)$/;
const endsCommand = /[;,:.)"]$/;

function unitsOf(text: string): readonly Unit[] {
  const units: Word[][] = [];
  let isCommand = false;
  for (const word of spacedWords(text)) {
    const last = units.at(-1);
    if (isCommand && word.blank === ' ' && last !== undefined) last.push(word);
    else {
      units.push([word]);
      isCommand = beginsCommand.test(word.text);
    }
    if (endsCommand.test(word.text)) isCommand = false;
  }
  return units;
}

function spacedWords(text: string): readonly Word[] {
  return [...text.matchAll(/( *)([^ ]+)/g)].map(([, blank = '', word = '']) => ({ blank, text: word }));
}

const label = /^ *[^ ]+(?: [^ ]+)*? {2,}/;

function hangOf(text: string): number {
  const lead = leadOf(text);
  return label.exec(text)?.[0].length ?? (lead === 0 ? 0 : lead + 2);
}

function leadOf(text: string): number {
  return text.length - text.trimStart().length;
}

/** Indented and labelled lines are not part of a paragraph. */
function paragraphsOf(text: string): readonly (readonly string[])[] {
  const paragraphs: string[][] = [];
  let isOpen = false;
  for (const line of text.split('\n')) {
    const isPlain = /^[^ ]/.test(line) && !label.test(line);
    const last = paragraphs.at(-1);
    if (isOpen && isPlain && last !== undefined) last.push(line);
    else paragraphs.push([line]);
    isOpen = isPlain;
  }
  return paragraphs;
}
