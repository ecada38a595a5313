import type { ImportEntry } from '../../daemon/api/account-views.ts';
import {
  type Found,
  ImportError,
  type Parsed,
  type Parser,
  problem,
  type SourceLocation,
} from './contract.ts';
import { type Named, openSource } from './files.ts';

/** Factors of one account per request; more are sent in further requests. */
const mostFactors = 32;

/** A map key for the account of an entry. */
export function keyOf({ user, owner }: Pick<ImportEntry, 'user' | 'owner'>): string {
  return user ?? `uid:${owner ?? ''}`;
}

export function placeText({ file, line }: SourceLocation): string {
  return line === undefined ? file : `${file}:${line}`;
}

/** Parses the files in order; an unreadable file yields one problem. */
export async function* parsedIn(files: readonly Named[], parse: Parser): AsyncGenerator<Parsed> {
  for (const named of files) {
    const place = { file: named.file };
    try {
      const source = await openSource(named);
      try {
        for await (const one of parse(source)) yield bySource(one, source.owner);
      } finally {
        await source.close();
      }
    } catch (error) {
      if (!(error instanceof ImportError)) throw error;
      yield { ...problem(place, error.message), whole: true };
    }
  }
}

function bySource(one: Parsed, owner: number | undefined): Parsed {
  return one.kind === 'problem' && owner !== undefined ? { ...one, owner } : one;
}

/** Joins adjacent entries of one account, so that they are one commit. */
export async function* grouped(all: AsyncIterable<Parsed>): AsyncGenerator<Parsed> {
  let waiting: Found | undefined;
  for await (const one of all) {
    if (
      waiting !== undefined &&
      one.kind === 'found' &&
      keyOf(one) === keyOf(waiting) &&
      one.owner === waiting.owner &&
      waiting.factors.length + one.factors.length <= mostFactors
    ) {
      waiting = {
        ...waiting,
        factors: [...waiting.factors, ...one.factors],
        cannot: [...waiting.cannot, ...one.cannot],
      };
      continue;
    }
    if (waiting !== undefined) yield waiting;
    waiting = one.kind === 'found' ? one : undefined;
    if (one.kind === 'problem') yield one;
  }
  if (waiting !== undefined) yield waiting;
}
