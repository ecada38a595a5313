import { type Db, type Handle, readError } from './handle.ts';
import { markerKey, recordKey } from './keys.ts';
import type { Pair } from './reader.ts';

interface Waiting {
  readonly account: string;
  readonly resolve: (pair: Pair) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads both places of accounts. Those asked for in one tick are read in one go, off the event loop: a login
 * costs a third of what it would alone, and a slow disk holds up nobody else.
 *
 * MUST hold here:
 * - both places of an account are read in one snapshot, so that a commit between them is never taken for damage;
 * - the snapshot is taken after the question;
 * - a block that cannot be read harms no account but those in it.
 */
export class PairLoader {
  readonly #handle: Handle;
  #queue: Waiting[] = [];

  constructor(handle: Handle) {
    this.#handle = handle;
  }

  load(account: string): Promise<Pair> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ account, resolve, reject });
      if (this.#queue.length === 1) process.nextTick(() => this.#flush());
    });
  }

  #flush(): void {
    const waiting = this.#queue;
    this.#queue = [];
    this.#handle
      .use((db) => readAll(db, waiting))
      .catch((error: unknown) => {
        for (const { reject } of waiting) reject(error);
      });
  }
}

async function readAll(db: Db, waiting: readonly Waiting[]): Promise<void> {
  const keys = waiting.flatMap(({ account }) => [recordKey(account), markerKey(account)]);
  let values: readonly (Buffer | undefined)[];
  try {
    values = await db.getMany(keys);
  } catch (error) {
    if (waiting.length === 1) throw error;
    await Promise.all(
      waiting.map((one) => readAll(db, [one]).catch((reason) => one.reject(readError(reason)))),
    );
    return;
  }
  for (const [index, { account, resolve }] of waiting.entries()) {
    resolve({ account, record: values[2 * index], marker: values[2 * index + 1] });
  }
}
