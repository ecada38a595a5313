import { SallyportError } from '../lib/errors.ts';
import type { KeyPath, LineMap } from './locate.ts';

/** One thing that is wrong in a configuration file. */
export interface ConfigProblem {
  readonly file: string;
  /** 1-based; the line of the key, or of its table where a key is missing. */
  readonly line: number;
  /** "realm.totp.digits". */
  readonly key: string;
  readonly found: string;
  readonly allowed: string;
  /** Why, or what was probably meant; empty when found and allowed say it all. */
  readonly message: string;
}

/** Where checks put what they find; key paths become lines, and each key is reported once. */
export interface Report {
  readonly lines: LineMap;
  add(path: KeyPath, found: string, allowed: string, message?: string): void;
}

/** One line for people: FILE:LINE: KEY: found X; allowed: Y (why). */
export function describeProblem(problem: ConfigProblem): string {
  const { file, line, key, found, allowed, message } = problem;
  const why = message === '' ? '' : ` (${message})`;
  return `${file}:${line}: ${key}: found ${found}; allowed: ${allowed}${why}`;
}

/** All problems as one error, for where a configuration must be good to go on. */
export function configError(problems: readonly ConfigProblem[]): SallyportError<'config-bad'> {
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
  const lines = problems.map(describeProblem).join('\n');
  return new SallyportError('config-bad', `the configuration has ${count}; nothing was changed:\n${lines}`);
}

const shownLength = 80;

/** A value from the file, on one line, short, with control characters escaped. */
export function formatValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return shorten(`[${value.map(formatValue).join(', ')}]`);
  if (typeof value === 'object' && value !== null) {
    const pairs = Object.entries(value).map(([key, entry]) => `${printableKey(key)} = ${formatValue(entry)}`);
    return shorten(pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`);
  }
  return shorten(typeof value === 'string' ? quote(value) : String(value));
}

/** A key as TOML would write it. */
export function printableKey(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : shorten(quote(key));
}

/** JSON does not escape DEL and the C1 range, which a terminal interprets. */
function quote(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function shorten(text: string): string {
  return text.length <= shownLength ? text : `${text.slice(0, shownLength - 1)}…`;
}
