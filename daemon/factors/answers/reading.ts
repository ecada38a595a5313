/**
 * An answer as the user means it: one entry for each character, in one spelling. Full-width and other decimal
 * digits are digits, every blank is a blank, every dash a dash; invisible marks, and those that a terminal adds
 * around pasted text, are left out.
 *
 * Invariant: the answer may be a password, or start with one, and strings cannot be wiped. So a reading holds only
 * numbers, and its caller wipes it.
 */
export interface Reading {
  /** An ASCII character each; `blank` and `dash` for all of their kind; `foreign` for any other. */
  readonly symbols: Uint8Array;
  /** Code points as typed; for a byte that is not UTF-8 its value, above all code points. */
  readonly points: Uint32Array;
  /** The byte of the answer at which each begins. */
  readonly starts: Uint16Array;
}

export const blank = 0x20;
export const dash = 0x2d;
export const foreign = 0;

/** Above every code point. */
const noText = 0x11_0000;
const escapeByte = 0x1b;
/** Bracketed paste, behind its ESC: "[200~" in front, "[201~" behind. */
const pasted = [Buffer.from('[200~'), Buffer.from('[201~')] as const;
/** Left out of a reading. */
const invisible = 1;

export function readAnswer(answer: Buffer): Reading {
  const symbols = new Uint8Array(answer.length);
  const points = new Uint32Array(answer.length);
  const starts = new Uint16Array(answer.length);
  let count = 0;
  // Pasted text belongs together with the marks in front of it.
  let begun: number | undefined;
  for (let at = 0; at < answer.length; ) {
    const marker = pasteMarkerAt(answer, at);
    if (marker > 0) {
      begun ??= at;
      at += marker;
      continue;
    }
    const length = characterLength(answer, at);
    const point = length === 0 ? noText + (answer[at] ?? 0) : pointAt(answer, at, length);
    const symbol = symbolOf(point);
    if (symbol !== invisible) {
      symbols[count] = symbol;
      points[count] = point;
      starts[count] = begun ?? at;
      count += 1;
    }
    begun = undefined;
    at += Math.max(1, length);
  }
  return {
    symbols: symbols.subarray(0, count),
    points: points.subarray(0, count),
    starts: starts.subarray(0, count),
  };
}

export function wipeReading({ symbols, points, starts }: Reading): void {
  symbols.fill(0);
  points.fill(0);
  starts.fill(0);
}

/** Whether the answer is empty: Enter, with or without blanks in front of it. */
export function isBlank(answer: Buffer): boolean {
  const reading = readAnswer(answer);
  const nothing = reading.symbols.every((symbol) => symbol === blank);
  wipeReading(reading);
  return nothing;
}

/** Without CR and LF at the end, which some programs leave there: a PIN with them would cost an attempt. */
export function withoutLineEnd(typed: Buffer): Buffer {
  let end = typed.length;
  while (end > 0 && (typed[end - 1] === 0x0d || typed[end - 1] === 0x0a)) end -= 1;
  return end === typed.length ? typed : typed.subarray(0, end);
}

/** Without blanks around it, and with one dash for each run of blanks and dashes. The caller wipes it. */
export function compact({ symbols }: Reading): Buffer {
  const kept = Buffer.alloc(symbols.length);
  let length = 0;
  for (const symbol of trimmed(symbols)) {
    const separates = symbol === blank || symbol === dash;
    if (separates && kept[length - 1] === dash && length > 0) continue;
    kept[length] = separates ? dash : symbol;
    length += 1;
  }
  return kept.subarray(0, length);
}

function trimmed(symbols: Uint8Array): Uint8Array {
  let start = 0;
  let end = symbols.length;
  while (start < end && symbols[start] === blank) start += 1;
  while (end > start && symbols[end - 1] === blank) end -= 1;
  return symbols.subarray(start, end);
}

function pasteMarkerAt(answer: Buffer, at: number): number {
  if (answer[at] !== escapeByte) return 0;
  const marker = pasted.find((text) => answer.subarray(at + 1, at + 1 + text.length).equals(text));
  return marker === undefined ? 0 : 1 + marker.length;
}

/** Bytes of the UTF-8 character that begins here; 0 if none does (RFC 3629). */
function characterLength(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  const length =
    first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  for (let next = 1; next < length; next += 1) if (((bytes[at + next] ?? 0) & 0xc0) !== 0x80) return 0;
  if (length < 3) return length;
  const point = pointAt(bytes, at, length);
  const isLone = point >= 0xd800 && point <= 0xdfff;
  return isLone || point < (length === 3 ? 0x800 : 0x1_0000) || point >= noText ? 0 : length;
}

function pointAt(bytes: Buffer, at: number, length: number): number {
  let point = (bytes[at] ?? 0) & (length === 1 ? 0x7f : 0xff >> (length + 1));
  for (let next = 1; next < length; next += 1) point = (point << 6) | ((bytes[at + next] ?? 0) & 0x3f);
  return point;
}

function symbolOf(point: number): number {
  if (point > 0x7e) return point >= noText ? foreign : (beyondAscii().get(point) ?? foreign);
  if (point > blank) return point;
  // Tab, line feed, vertical tab, form feed, carriage return.
  return point === blank || (point >= 0x09 && point <= 0x0d) ? blank : foreign;
}

/** Dashes that Unicode does not classify as such: people, and Japanese keyboards, type them instead. */
const dashesToo = [0x02d7, 0x2043, 0x30fc, 0xff70];
/** From a letter of ASCII to its full-width form. */
const fullWidth = 0xfee0;
/** The planes that hold digits and blanks, and the tags, which are invisible. */
const planes = [
  [0x7f, 0x1_ffff],
  [0xe_0000, 0xe_0fff],
] as const;

let table: ReadonlyMap<number, number> | undefined;

/** Created when the first answer needs it: almost none does. */
function beyondAscii(): ReadonlyMap<number, number> {
  table ??= makeTable();
  return table;
}

function makeTable(): ReadonlyMap<number, number> {
  const made = new Map<number, number>();
  let digits = 0;
  for (const [first, last] of planes) {
    for (let point = first; point <= last; point += 1) {
      const character = String.fromCodePoint(point);
      // Unicode, 4.6: decimal digits come in runs of ten, starting from zero.
      if (/\p{Nd}/u.test(character)) {
        made.set(point, 0x30 + (digits % 10));
        digits += 1;
      } else if (/\p{White_Space}/u.test(character)) made.set(point, blank);
      else if (/\p{Default_Ignorable_Code_Point}/u.test(character)) made.set(point, invisible);
      else if (/\p{Dash}/u.test(character)) made.set(point, dash);
    }
  }
  for (const point of dashesToo) made.set(point, dash);
  for (const first of [0x41, 0x61])
    for (let letter = first; letter < first + 26; letter += 1) made.set(letter + fullWidth, letter);
  return made;
}
