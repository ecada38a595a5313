import type { ImportEntry, PortableFactor } from '../../daemon/api/account-views.ts';

/** Where something stands: "users.oath:12", or the file alone. */
export interface SourceLocation {
  readonly file: string;
  /** From 1; undefined: the file as a whole. */
  readonly line?: number;
}

/** What cannot come over of an account that otherwise does, and why. */
export interface Unsupported {
  readonly what: string;
  readonly why: string;
}

/** What was read of one account. `user` and `owner` as in ImportEntry. */
export interface Found extends Omit<ImportEntry, 'factors'> {
  readonly kind: 'found';
  readonly place: SourceLocation;
  readonly factors: readonly PortableFactor[];
  readonly cannot: readonly Unsupported[];
}

/** What could not be read. `user`: whose it is; nothing of that account comes over then. */
export interface Problem {
  readonly kind: 'problem';
  readonly place: SourceLocation;
  readonly user?: string;
  /** As in ImportEntry: such a file stops nothing of what others say. */
  readonly owner?: number;
  /** The file is broken: nothing of it comes over. */
  readonly whole?: true;
  /** What is wrong and what to do; never what stands there. */
  readonly why: string;
}

export type Parsed = Found | Problem;

/** One file, open, as far as it may be read. */
export interface Source {
  readonly file: string;
  /** Whom it belongs to. */
  readonly uid: number;
  /** It was found in a home, which is that uid's too. */
  readonly inHome: boolean;
  /** The same, where that is not root's or the caller's own: it speaks for that uid alone. */
  readonly owner?: number;
  /** Lines without their ends; one that is too long comes as undefined. */
  lines(): AsyncIterable<{ readonly text: string | undefined; readonly number: number }>;
  /** Its text, in pieces of some 64 KiB. */
  chunks(): AsyncIterable<string>;
  /** The whole of it. @throws ImportError: it is longer than `most` bytes */
  whole(most: number): Promise<Buffer>;
}

/**
 * Turns one file into accounts. Pure but for reading its source.
 *
 * MUST hold: rubbish never throws, and no message holds anything of what was read but names of accounts.
 */
export type Parser = (source: Source) => AsyncIterable<Parsed>;

/** A file that cannot be read, or not to its end: nothing of it comes over. */
export class ImportError extends Error {}

export function problem(place: SourceLocation, why: string, user?: string): Problem {
  return { kind: 'problem', place, why, ...(user === undefined ? {} : { user }) };
}

/** `found` with the owner that its file gives it. */
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
