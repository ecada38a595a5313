import { type FactorRecord, kindOf } from '../factors/kinds.ts';
import { storeError } from '../sealing/error.ts';
import type { Commit, Store, Versioned, YubikeyCounterRecord } from '../store/contract.ts';

/** Counters of YubiKeys by name, as a commit must name them. */
export type YubikeyCounters = ReadonlyMap<string, Versioned<YubikeyCounterRecord>>;

/** Current factors whose counters other accounts may have moved. */
export interface Marked {
  readonly factors: readonly FactorRecord[];
  readonly tokens: YubikeyCounters;
}

/**
 * YubiKeys that are enrolled for several accounts, under one public id or under several: their last-used counters
 * are in records that all of these accounts share.
 *
 * Invariant: read before an answer is evaluated, and named by the commit that accepts it, so that one press is
 * accepted once, for one account (docs/design.md, rule 1); a counter record that must exist and does not refuses.
 *
 * @throws store error record-damaged
 */
export async function withMarks(
  store: Pick<Store, 'token'>,
  factors: readonly FactorRecord[],
): Promise<Marked> {
  const tokens = new Map<string, Versioned<YubikeyCounterRecord>>();
  const marked: FactorRecord[] = [];
  for (const factor of factors) {
    const marks = await marksIn(store, factor);
    for (const [name, token] of marks) tokens.set(name, token);
    marked.push(raised(factor, marks));
  }
  return { factors: marked, tokens };
}

/** The counters of one key, across accounts; an empty list for other factors. */
export async function marksIn(store: Pick<Store, 'token'>, factor: FactorRecord): Promise<YubikeyCounters> {
  const names = kindOf(factor).counters?.names(factor) ?? [];
  return new Map(await Promise.all(names.map(async (name) => [name, await store.token(name)] as const)));
}

/**
 * The factor with its shared counters applied.
 * @throws store error record-damaged if a counter record that the factor says it wrote, in its own commit, is
 *   missing
 */
export function raised(factor: FactorRecord, tokens: YubikeyCounters): FactorRecord {
  const { counters } = kindOf(factor);
  if (counters === undefined) return factor;
  const found = counters.raise(factor, (name) => tokens.get(name)?.value);
  if (typeof found === 'string') throw storeError('record-damaged', found);
  return found;
}

/** What the commit writes that accepts this factor, or that enrols it with a touch. */
export function markOf(factor: FactorRecord, tokens: YubikeyCounters): NonNullable<Commit['tokens']> {
  const written = kindOf(factor).counters?.written(factor) ?? [];
  return written.map(({ name: token, lastPress, spent }) => {
    return { version: tokens.get(token)?.version ?? 0, write: { token, lastPress, spent } };
  });
}
