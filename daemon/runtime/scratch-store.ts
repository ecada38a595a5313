import { setImmediate as turn } from 'node:timers/promises';
import { limits } from '../limits.ts';
import { storeError } from '../sealing/error.ts';
import type { Sealer } from '../sealing/seal.ts';
import type { StoreHealth } from '../store/contract.ts';
import type { Db, DbBatch, DbHandle } from '../store/sealed/db.ts';
import { SealedStore } from '../store/sealed/sealed-store.ts';

const unlimited = { keep: Number.POSITIVE_INFINITY, keepBytes: Number.POSITIVE_INFINITY };

/** What a login asks of an engine, in memory; whatever else is asked fails. */
class ScratchDb implements Db, DbHandle {
  readonly status = 'open';
  readonly #values = new Map<string, Buffer>();

  use<T>(work: (db: Db) => Promise<T>): Promise<T> {
    return work(this);
  }

  readError(error: unknown): unknown {
    return error;
  }

  getSync(key: Buffer): Buffer | undefined {
    return this.#values.get(key.toString('latin1'));
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    return this.getSync(key);
  }

  async getMany(keys: Buffer[]): Promise<(Buffer | undefined)[]> {
    await turn();
    return keys.map((key) => this.getSync(key));
  }

  batch(): DbBatch {
    const written: [string, Buffer | undefined][] = [];
    return {
      put: (key, value) => written.push([key.toString('latin1'), value]),
      del: (key) => written.push([key.toString('latin1'), undefined]),
      write: async () => {
        await turn();
        for (const [key, value] of written)
          if (value === undefined) this.#values.delete(key);
          else this.#values.set(key, value);
      },
    };
  }

  iterator = missing;
  keys = missing;
  snapshot = missing;
}

function missing(): never {
  throw storeError('store-unreadable', 'internal error: this is not a store to keep; please report this');
}

/** A store in memory, for the logins of `warmUp`. */
export class ScratchStore extends SealedStore {
  constructor(sealer: Sealer) {
    super({
      handle: new ScratchDb(),
      sealer,
      meta: { storeId: '0'.repeat(32), commit: 0, accounts: 0, first: 1, last: 0 },
      now: Date.now,
      bounds: () => unlimited,
      overShare: () => undefined,
      checkFiles: async function* () {},
      scrubDelay: limits.scrubDelay,
      scrubInterval: limits.scrubInterval,
      durable: () => undefined,
      failed: () => undefined,
    });
    this.scrubs.stop();
  }

  health(): StoreHealth {
    return { ...this.held(), state: 'ok', anchorCommit: 0 };
  }

  async close(): Promise<void> {
    this.committer.stopTaking(storeError('store-closed', 'The store is closed.'));
    await this.committer.settled();
  }
}
