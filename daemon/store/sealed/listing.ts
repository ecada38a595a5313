import { messageOf } from '../../lib/errors.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { Store } from '../contract.ts';
import type { Db } from './db.ts';
import { openPair, readPairs } from './reader.ts';
import { afterYubikeyRecords } from './record-keys.ts';
import { decodeAccount } from './records.ts';

/** Accounts in the order of their names, from one snapshot. A damaged record is reported, never skipped. */
export async function listAccounts(
  db: Db,
  sealer: Sealer,
  options: Parameters<Store['accounts']>[0],
): ReturnType<Store['accounts']> {
  const after = afterYubikeyRecords(options.after);
  const snapshot = db.snapshot();
  try {
    const pairs = await readPairs(db, { after, limit: options.limit, snapshot });
    return pairs.map((pair) => {
      const { account } = pair;
      try {
        const { value } = openPair(sealer, pair, decodeAccount);
        return value ? { account, record: value } : { account };
      } catch (error) {
        return { account, damaged: messageOf(error) };
      }
    });
  } finally {
    await snapshot.close();
  }
}
