import { type Control, parseControl } from './control.ts';

/** Files of /etc/pam.d as libpam reads them, line by line, without following includes (pam.d(5)). */

export const phases = ['auth', 'account', 'password', 'session'] as const;
export type Phase = (typeof phases)[number];

/** A source location; the first line is 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

interface Written extends Place {
  /** Its last line: a backslash at the end continues a line. */
  readonly lastLine: number;
  /** The text as libpam parses it: joined, without the comment. */
  readonly text: string;
}

export interface ModuleLine extends Written {
  readonly kind: 'module';
  readonly phase: Phase;
  /** "-auth": a missing module is not logged, but still fails. */
  readonly quiet: boolean;
  readonly control: Control;
  /** "required", "[success=1 default=ignore]". */
  readonly controlText: string;
  /** As in the file: "pam_unix.so", or a path. */
  readonly module: string;
  readonly options: readonly string[];
}

export interface IncludeLine extends Written {
  readonly kind: 'include';
  /** `all`: Debian's "@include", every phase of the file. */
  readonly phase: Phase | 'all';
  /** An end action ends only the included file. */
  readonly substack: boolean;
  /** A service, or a path. */
  readonly target: string;
}

/** A line that libpam cannot parse: every login that runs it is refused. */
export interface BrokenLine extends Written {
  readonly kind: 'broken';
  /** Absent if unknown: libpam then uses the phase it is reading, "auth" at the top level. */
  readonly phase?: Phase;
  readonly why: string;
  /** libpam rejects the whole service. */
  readonly fatal: boolean;
}

export type PamLine = ModuleLine | IncludeLine | BrokenLine;

/** @param text of a file; @param file its name, for locations. Never throws: errors become a BrokenLine. */
export function parseLines(text: string, file: string): readonly PamLine[] {
  return joined(text).map((line) => parseLine({ file, ...line }));
}

interface Joined {
  readonly line: number;
  readonly lastLine: number;
  readonly text: string;
  /** Why libpam cannot join the line, or joins it differently in other versions. */
  readonly fault?: { readonly why: string; readonly fatal: boolean };
}

const unclear = {
  why: 'an empty line or a comment inside a continued line, which versions of libpam read differently',
  fatal: false,
};
const unfinished = { why: 'the file ends with a backslash, so its last line is incomplete', fatal: true };

/**
 * A comment ends at the end of its line; a backslash at the end, with or without spaces after it, continues the line.
 */
function joined(text: string): readonly Joined[] {
  const found: Joined[] = [];
  let open: { first: number; text: string; unclear: boolean } | undefined;
  const rows = text.split('\n');
  for (const [index, row] of rows.entries()) {
    const bare = trimmed(row.replace(/#.*$/s, ''));
    if (bare === '') {
      if (open !== undefined) open.unclear = true;
      continue;
    }
    const goesOn = bare.endsWith('\\');
    const whole = `${open === undefined ? '' : `${open.text} `}${goesOn ? trimmed(bare.slice(0, -1)) : bare}`;
    const first = open?.first ?? index + 1;
    const spoiled = open?.unclear === true;
    if (goesOn) open = { first, text: whole, unclear: spoiled };
    else {
      found.push({ line: first, lastLine: index + 1, text: whole, ...(spoiled ? { fault: unclear } : {}) });
      open = undefined;
    }
  }
  if (open !== undefined)
    found.push({ line: open.first, lastLine: rows.length, text: open.text, fault: unfinished });
  return found;
}

/** libpam treats a carriage return as part of a word, which then matches nothing. */
function trimmed(text: string): string {
  return text.replaceAll(/^[ \t]+|[ \t]+$/g, '');
}

/** Splits words at spaces and tabs; brackets keep spaces, and "\]" is a bracket. */
function wordsOf(text: string): readonly string[] {
  return [...text.matchAll(/\[(?:\\\]|[^\]])*(?:\]|$)|[^ \t[][^ \t]*/g)].map(([word]) => word);
}

function unbracketed(word: string): string {
  return word.startsWith('[') ? word.replace(/^\[|\]$/g, '').replaceAll('\\]', ']') : word;
}

function parseLine(row: Place & Joined): PamLine {
  const { fault, ...written } = row;
  const broken = (why: string, fatal: boolean, phase?: Phase): BrokenLine => ({
    kind: 'broken',
    ...written,
    why,
    fatal,
    ...(phase === undefined ? {} : { phase }),
  });
  if (fault !== undefined) return broken(fault.why, fault.fatal);
  const [first = '', second, third, ...options] = wordsOf(row.text);
  if (first.toLowerCase() === '@include') {
    if (second === undefined) return broken('@include without a file', true);
    return { kind: 'include', ...written, phase: 'all', substack: false, target: unbracketed(second) };
  }
  const quiet = first.startsWith('-');
  const type = (quiet ? first.slice(1) : first).toLowerCase();
  const phase = phases.find((one) => one === type);
  if (phase === undefined)
    return broken(`"${first}" is not a phase (auth, account, password, session)`, false);
  if (second === undefined) return broken('the control is missing (required, requisite …)', false, phase);
  const word = second.toLowerCase();
  if (word === 'include' || word === 'substack') {
    if (third === undefined) return broken(`${word} without a file`, true, phase);
    return {
      kind: 'include',
      ...written,
      phase,
      substack: word === 'substack',
      target: unbracketed(third),
    };
  }
  const control = parseControl(second);
  if (control === undefined) return broken(`libpam cannot parse "${second}"`, false, phase);
  if (third === undefined) return broken('the module is missing', false, phase);
  return {
    kind: 'module',
    ...written,
    phase,
    quiet,
    control,
    controlText: second,
    module: unbracketed(third),
    options: options.map(unbracketed),
  };
}

/** A problem or a note about the stack of a service. Codes are stable. */
export interface Finding {
  readonly code: FindingCode;
  /** error: a bypass or a lockout. note: intended. */
  readonly level: 'error' | 'warning' | 'note';
  readonly place?: Place;
  readonly message: string;
}

export type FindingCode =
  | 'service-refused'
  | 'line-broken'
  | 'line-empty'
  | 'first-factor-unverified'
  | 'skipped'
  | 'root-not-asked'
  | 'answer-not-binding'
  | 'roots-way-in'
  | 'way-around'
  | 'ignore-refused'
  | 'asked-twice'
  | 'wrong-phase';
