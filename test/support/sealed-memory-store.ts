import { limits } from '../../daemon/limits.ts';
import { storeError } from '../../daemon/sealing/error.ts';
import { createSealer, type Sealer } from '../../daemon/sealing/seal.ts';
import type { StoreHealth } from '../../daemon/store/contract.ts';
import { sealMeta } from '../../daemon/store/sealed/meta.ts';
import { metaKey } from '../../daemon/store/sealed/record-keys.ts';
import { SealedStore } from '../../daemon/store/sealed/sealed-store.ts';
import { keyringOf } from './keys.ts';
import { MemoryDb, MemoryHandle } from './memory-db.ts';

const memorySealer = createSealer(keyringOf('memory'));
const unbounded = { keep: Number.POSITIVE_INFINITY, keepBytes: Number.POSITIVE_INFINITY };

/** The sealed store over a database in memory: nothing in it may rest on what LevelDB has beyond `Db`. */
export class SealedMemoryStore extends SealedStore {
  readonly #db: MemoryDb;

  constructor(db = new MemoryDb(), sealer: Sealer = memorySealer) {
    const meta = { storeId: '0'.repeat(32), commit: 0, accounts: 0, first: 1, last: 0 };
    db.apply([{ key: metaKey, value: sealMeta(sealer, meta) }]);
    super({
      handle: new MemoryHandle(db, storeError('store-closed', 'The store is closed.')),
      sealer,
      meta,
      now: Date.now,
      bounds: () => unbounded,
      overShare: () => undefined,
      checkFiles: async function* () {},
      scrubDelay: limits.scrubDelay,
      scrubInterval: limits.scrubInterval,
      durable: () => undefined,
      failed: () => undefined,
    });
    this.#db = db;
  }

  health(): StoreHealth {
    const held = this.held();
    return {
      ...held,
      state: this.#db.status === 'open' ? 'ok' : 'closed',
      anchorCommit: held.commit,
    };
  }

  async close(): Promise<void> {
    this.committer.stopTaking(storeError('store-closed', 'The store is closed.'));
    await this.committer.settled();
    this.scrubs.stop();
    this.#db.status = 'closed';
  }
}
