import { splitChained } from '../store/sealed/chain.ts';
import type { Meta } from '../store/sealed/meta.ts';
import { eventKey } from '../store/sealed/record-keys.ts';
import type { ReadonlyCopy } from './readonly-copy.ts';

/** What the store that is there is to the one that a backup is of. */
export type StoreLineage =
  /** It went on from what the backup holds. */
  | 'heir'
  /** The same store, as it was before the backup was taken: a machine that was put back. */
  | 'older'
  /** Both went on from something older, or it cannot be told: what happened in one the other does not know. */
  | 'branch'
  /** Another store from the beginning. */
  | 'unrelated';

/**
 * MUST hold: a store is only taken for the heir of a backup where it holds the backup's newest event, or where it
 * is the same store by its id and further on, and nothing speaks against it. What its anchor says is about itself:
 * a machine that was put back, or that people have come back to, is the newest of its own kind.
 */
export async function lineageOf(old: ReadonlyCopy, backup: Meta): Promise<StoreLineage> {
  const { meta } = old;
  if (meta === undefined) return 'branch';
  const isSame = meta.storeId === backup.storeId;
  if (isSame && meta.commit < backup.commit) return 'older';
  // A repair that lost the key of the chain began another.
  if (meta.chain === undefined || meta.chain.key !== backup.chain?.key) {
    if (isSame) return 'heir';
    const isOther = meta.chain !== undefined && backup.chain !== undefined;
    return isOther || meta.accounts === 0 ? 'unrelated' : 'branch';
  }
  if (meta.last === backup.last) return meta.chain.head === backup.chain.head ? 'heir' : 'branch';
  const before = await linkBefore(old, backup.last + 1);
  if (before === undefined && isSame) return 'heir';
  return before === backup.chain.head ? 'heir' : 'branch';
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
