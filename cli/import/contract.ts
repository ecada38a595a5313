import type { ImportEntry, PortableFactor } from '../../daemon/api/account-views.ts';

/** A source location: "users.oath:12", or only the file. */
export interface SourceLocation {
  readonly file: string;
  /** From 1; undefined for the whole file. */
  readonly line?: number;
}

/** A factor or setting that cannot be imported, although its account can. */
export interface Unsupported {
  readonly what: string;
  readonly why: string;
}

/** The parsed entry of one account. `user` and `owner` as in ImportEntry. */
export interface Found extends Omit<ImportEntry, 'factors'> {
  readonly kind: 'found';
  readonly place: SourceLocation;
  readonly factors: readonly PortableFactor[];
  readonly cannot: readonly Unsupported[];
}

/** An unreadable part of a file. `user`: its account, of which nothing is imported then. */
export interface Problem {
  readonly kind: 'problem';
  readonly place: SourceLocation;
  readonly user?: string;
  /** As in ImportEntry: such a file does not block entries of other files. */
  readonly owner?: number;
  /** The file is unreadable: nothing of it is imported. */
  readonly whole?: true;
  /** The error and what to do; never the content. */
  readonly why: string;
}

export type Parsed = Found | Problem;

/** An open source file. */
export interface Source {
  readonly file: string;
  /** The file's owner. */
  readonly uid: number;
  /** Whether it was found in a home directory of the same owner. */
  readonly inHome: boolean;
  /** The owner if neither root nor the caller: the file is trusted only for that uid. */
  readonly owner?: number;
  /** Lines without line ends; undefined for a line that is too long. */
  lines(): AsyncIterable<{ readonly text: string | undefined; readonly number: number }>;
  /** Its text in chunks of about 64 KiB. */
  chunks(): AsyncIterable<string>;
  /** Its whole content. @throws ImportError if it is longer than `most` bytes */
  whole(most: number): Promise<Buffer>;
}

/**
 * Parses one file into accounts. Pure except for reading its source.
 *
 * Invariants: malformed input never throws, and messages contain nothing of the input except account names.
 */
export type Parser = (source: Source) => AsyncIterable<Parsed>;

/** A file that cannot be read to its end: nothing of it is imported. */
export class ImportError extends Error {}

export function problem(place: SourceLocation, why: string, user?: string): Problem {
  return { kind: 'problem', place, why, ...(user === undefined ? {} : { user }) };
}

/** A `found` entry with the owner of its file. */
export function found(
  source: Source,
  line: number | undefined,
  user: string | undefined,
  factors: readonly PortableFactor[],
  more: Partial<Pick<Found, 'cannot' | 'lock'>> = {},
): Found {
  return {
    kind: 'found',
    place: { file: source.file, ...(line === undefined ? {} : { line }) },
    ...(user === undefined ? {} : { user }),
    ...(source.owner === undefined ? {} : { owner: source.owner }),
    factors,
    cannot: [],
    ...more,
  };
}

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

export type JsonObject = { readonly [key: string]: Json };

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
