import { limits } from '../../limits.ts';
import { storeError } from '../../sealing/error.ts';
import { type Sealer, sealSchema } from '../../sealing/seal.ts';
import type { Db, DbSnapshot } from './db.ts';
import { type Meta, openMeta } from './meta.ts';
import { metaKey } from './record-keys.ts';

/** The store's content at one moment, still sealed, whatever is committed meanwhile. */
export interface StoreSnapshot {
  readonly schema: number;
  readonly meta: Meta;
  /** In the order of keys. Ends with an error if the store is closed or reopened before the end. */
  readonly entries: AsyncIterable<readonly (readonly [Buffer, Buffer])[]>;
  close(): Promise<void>;
}

/** It delays no other operation: closing the database does not wait for it. */
export async function takeSnapshot(db: Db, sealer: Sealer): Promise<StoreSnapshot> {
  const snapshot = db.snapshot();
  const close = async (): Promise<void> => {
    if (db.status === 'open') await snapshot.close();
  };
  try {
    const meta = await db.get(metaKey, { snapshot });
    if (!meta) throw storeError('store-damaged', 'The store does not say any more what it holds.');
    return { schema: sealSchema, meta: openMeta(sealer, meta), entries: pages(db, snapshot), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function* pages(db: Db, snapshot: DbSnapshot): AsyncGenerator<[Buffer, Buffer][]> {
  const iterator = db.iterator({ snapshot, fillCache: false });
  try {
    for (;;) {
      const page = await iterator.nextv(limits.scrubBatch);
      if (page.length === 0) return;
      yield page;
    }
  } finally {
    if (db.status === 'open') await iterator.close();
  }
}
