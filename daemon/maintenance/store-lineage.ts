import { splitChained } from '../store/sealed/chain.ts';
import type { Meta } from '../store/sealed/meta.ts';
import { eventKey } from '../store/sealed/record-keys.ts';
import type { ReadonlyCopy } from './readonly-copy.ts';

/** What the store that is there is to the one that a backup is of. */
export type StoreLineage =
  /** It went on from what the backup holds. */
  | 'descendant'
  /** The same store, as it was before the backup was taken: a machine that was put back. */
  | 'older'
  /** Both went on from something older, or it is unknown: neither knows what happened in the other. */
  | 'diverged'
  /** Another store from the beginning. */
  | 'unrelated';

/**
 * Invariant: a store counts as a descendant of a backup only if it holds the backup's newest event, or if it has the
 * same store id and a later commit, and nothing contradicts it. Its anchor only describes the store itself: on a
 * machine that was reset to an older state it confirms that older state.
 */
export async function lineageOf(old: ReadonlyCopy, backup: Meta): Promise<StoreLineage> {
  const { meta } = old;
  if (meta === undefined) return 'diverged';
  const isSame = meta.storeId === backup.storeId;
  if (isSame && meta.commit < backup.commit) return 'older';
  // A repair that lost the key of the chain began another.
  if (meta.chain === undefined || meta.chain.key !== backup.chain?.key) {
    if (isSame) return 'descendant';
    const isOther = meta.chain !== undefined && backup.chain !== undefined;
    return isOther || meta.accounts === 0 ? 'unrelated' : 'diverged';
  }
  if (meta.last === backup.last) return meta.chain.head === backup.chain.head ? 'descendant' : 'diverged';
  const before = await linkBefore(old, backup.last + 1);
  if (before === undefined && isSame) return 'descendant';
  return before === backup.chain.head ? 'descendant' : 'diverged';
}

/** The link of the event before; undefined: there is no such event, or it cannot be read. */
async function linkBefore({ db, sealer }: ReadonlyCopy, seq: number): Promise<string | undefined> {
  const key = eventKey(seq);
  try {
    const value = await db.get(key);
    return value && splitChained(sealer.open('audit', key, value).plaintext).mark?.before;
  } catch {
    return undefined;
  }
}
