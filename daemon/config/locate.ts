import { parse } from 'smol-toml';

/** Keys and places in lists, from the root of the document: ['realm', 0, 'totp', 'digits']. */
export type KeyPath = readonly (string | number)[];

/** The positions of keys in the text. */
export interface LineMap {
  /** 1-based. For a key that is not there: the line of the nearest table around it. */
  lineOf(path: KeyPath): number;
}

interface Cursor {
  readonly text: string;
  at: number;
  line: number;
}

interface Places {
  readonly lines: Map<string, number>;
  /** How many [[tables]] of a name were seen so far. */
  readonly counts: Map<string, number>;
}

/**
 * A scanner over a TOML text that the parser has already accepted: the parser keeps no positions.
 * It reads only as much as it needs to know which key a line belongs to, never throws, and always ends.
 */
export function locate(text: string): LineMap {
  const cursor: Cursor = { text, at: 0, line: 1 };
  const places: Places = { lines: new Map(), counts: new Map() };
  let table: KeyPath = [];
  for (;;) {
    skipBlank(cursor);
    if (cursor.at >= text.length) break;
    const start = cursor.at;
    if (text[cursor.at] === '[') table = readHeader(cursor, places);
    else readPair(cursor, places, table);
    if (cursor.at === start) advance(cursor);
  }
  return { lineOf: (path) => lineOf(places.lines, path) };
}

function lineOf(lines: ReadonlyMap<string, number>, path: KeyPath): number {
  for (let length = path.length; length > 0; length--) {
    const line = lines.get(idOf(path.slice(0, length)));
    if (line !== undefined) return line;
  }
  return 1;
}

function readHeader(cursor: Cursor, places: Places): KeyPath {
  const line = cursor.line;
  const isList = cursor.text.startsWith('[[', cursor.at);
  advance(cursor, isList ? 2 : 1);
  const keys = readKeys(cursor);
  const path: (string | number)[] = [];
  keys.forEach((key, index) => {
    path.push(key);
    const id = idOf(path);
    note(places, path, line);
    const count = places.counts.get(id) ?? 0;
    if (isList && index === keys.length - 1) {
      places.counts.set(id, count + 1);
      path.push(count);
      note(places, path, line);
    } else if (count > 0) {
      path.push(count - 1);
    }
  });
  // The header names the table itself, even where a sub-table above it mentioned it first.
  places.lines.set(idOf(path), line);
  skipInline(cursor);
  advance(cursor, isList ? 2 : 1);
  return path;
}

function readPair(cursor: Cursor, places: Places, table: KeyPath): void {
  const path = [...table];
  const line = cursor.line;
  for (const key of readKeys(cursor)) {
    path.push(key);
    note(places, path, line);
  }
  skipInline(cursor);
  if (cursor.text[cursor.at] !== '=') return;
  advance(cursor);
  skipInline(cursor);
  readValue(cursor, places, path);
}

function readValue(cursor: Cursor, places: Places, path: KeyPath): void {
  const first = cursor.text[cursor.at];
  if (first === '[') readList(cursor, places, path);
  else if (first === '{') readInlineTable(cursor, places, path);
  else if (first === '"' || first === "'") skipString(cursor);
  else skipWhile(cursor, (character) => !',]}#\n'.includes(character));
}

function readList(cursor: Cursor, places: Places, path: KeyPath): void {
  advance(cursor);
  for (let index = 0; ; index++) {
    skipBlank(cursor);
    if (cursor.at >= cursor.text.length) return;
    if (cursor.text[cursor.at] === ']') break;
    const item = [...path, index];
    note(places, item, cursor.line);
    readValue(cursor, places, item);
    if (!skipSeparator(cursor, ']')) return;
  }
  advance(cursor);
}

function readInlineTable(cursor: Cursor, places: Places, path: KeyPath): void {
  advance(cursor);
  for (;;) {
    skipBlank(cursor);
    if (cursor.at >= cursor.text.length) return;
    if (cursor.text[cursor.at] === '}') break;
    readPair(cursor, places, path);
    if (!skipSeparator(cursor, '}')) return;
  }
  advance(cursor);
}

/** Behind an item: a comma is skipped, the end is left to be read; false if there is neither. */
function skipSeparator(cursor: Cursor, end: string): boolean {
  skipBlank(cursor);
  if (cursor.text[cursor.at] === end) return true;
  if (cursor.text[cursor.at] !== ',') return false;
  advance(cursor);
  return true;
}

/** a.b."c.d" up to what is no key any more. */
function readKeys(cursor: Cursor): string[] {
  const keys: string[] = [];
  for (;;) {
    skipInline(cursor);
    const start = cursor.at;
    const first = cursor.text[start];
    if (first === '"' || first === "'") skipString(cursor);
    else skipWhile(cursor, (character) => /[A-Za-z0-9_-]/.test(character));
    if (cursor.at === start) return keys;
    keys.push(keyOf(cursor.text.slice(start, cursor.at)));
    skipInline(cursor);
    if (cursor.text[cursor.at] !== '.') return keys;
    advance(cursor);
  }
}

/** A quoted key without its quotes and escapes, read by the parser itself. */
function keyOf(written: string): string {
  if (!/^["']/.test(written)) return written;
  try {
    return String(parse(`key = ${written}`).key);
  } catch {
    return written;
  }
}

function skipString(cursor: Cursor): void {
  const quote = cursor.text[cursor.at] ?? '';
  const long = cursor.text.startsWith(quote.repeat(3), cursor.at);
  const end = long ? quote.repeat(3) : quote;
  advance(cursor, end.length);
  while (cursor.at < cursor.text.length && !cursor.text.startsWith(end, cursor.at)) {
    advance(cursor, quote === '"' && cursor.text[cursor.at] === '\\' ? 2 : 1);
  }
  advance(cursor, end.length);
  // A long string may end in up to two quotes that belong to it.
  for (let extra = 0; long && extra < 2 && cursor.text[cursor.at] === quote; extra++) advance(cursor);
}

function skipBlank(cursor: Cursor): void {
  for (;;) {
    skipWhile(cursor, (character) => ' \t\r\n\ufeff'.includes(character));
    if (cursor.text[cursor.at] !== '#') return;
    skipWhile(cursor, (character) => character !== '\n');
  }
}

function skipInline(cursor: Cursor): void {
  skipWhile(cursor, (character) => ' \t'.includes(character));
}

function skipWhile(cursor: Cursor, holds: (character: string) => boolean): void {
  for (;;) {
    const character = cursor.text[cursor.at];
    if (character === undefined || !holds(character)) return;
    advance(cursor);
  }
}

function advance(cursor: Cursor, count = 1): void {
  for (let left = count; left > 0 && cursor.at < cursor.text.length; left--) {
    if (cursor.text[cursor.at] === '\n') cursor.line++;
    cursor.at++;
  }
}

/** The first mention of a key is its line. */
function note(places: Places, path: KeyPath, line: number): void {
  const id = idOf(path);
  if (!places.lines.has(id)) places.lines.set(id, line);
}

function idOf(path: KeyPath): string {
  return JSON.stringify(path);
}
