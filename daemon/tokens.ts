import type { FactorRecord } from './factors/contract.ts';
import type { Commit, Store } from './store/contract.ts';

/** Factors whose marks other accounts may have moved, as they are now, and what a commit must name. */
export interface Marked {
  readonly factors: readonly FactorRecord[];
  /** Versions of the tokens' records, by public id. */
  readonly tokens: ReadonlyMap<string, number>;
}

/**
 * YubiKeys that are enrolled for several accounts: the last press stands in one record for each public id.
 *
 * MUST hold: read before an answer is judged and named by the commit that accepts it, so that one press is
 * accepted once, for whichever account (design, rule 1).
 */
export async function withMarks(
  store: Pick<Store, 'token'>,
  factors: readonly FactorRecord[],
): Promise<Marked> {
  const tokens = new Map<string, number>();
  const marked: FactorRecord[] = [];
  for (const factor of factors) {
    if (factor.kind !== 'yubikey') {
      marked.push(factor);
      continue;
    }
    const { value, version } = await store.token(factor.publicId);
    tokens.set(factor.publicId, version);
    marked.push({ ...factor, lastPress: Math.max(factor.lastPress, value?.lastPress ?? -1) });
  }
  return { factors: marked, tokens };
}

/** What the commit writes that accepts this factor, or adds it. */
export function markOf(factor: FactorRecord, tokens: Marked['tokens']): NonNullable<Commit['tokens']> {
  if (factor.kind !== 'yubikey' || factor.lastPress < 0) return [];
  const { publicId, lastPress } = factor;
  return [{ version: tokens.get(publicId) ?? 0, write: { publicId, lastPress } }];
}
