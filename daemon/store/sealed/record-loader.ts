import type { Db, DbHandle } from './db.ts';
import type { MarkedRecord } from './reader.ts';
import { markerKey, recordKey } from './record-keys.ts';

interface Waiting {
  readonly account: string;
  readonly resolve: (pair: MarkedRecord) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads records and markers of accounts on LevelDB's threads, one request for all reads of a tick: a disk that hangs
 * must not delay anything else, in particular not the WAIT that shows the module that the daemon runs (design, rule 3).
 *
 * Invariants:
 * - record and marker come from one moment: a commit between two reads is never reported as damage;
 * - data is never older than the request for it;
 * - a block that cannot be read affects only the accounts in it.
 */
export class RecordLoader {
  readonly #handle: DbHandle;
  #queue: Waiting[] = [];

  constructor(handle: DbHandle) {
    this.#handle = handle;
  }

  load(account: string): Promise<MarkedRecord> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ account, resolve, reject });
      if (this.#queue.length === 1) process.nextTick(() => this.#flush());
    });
  }

  #flush(): void {
    const waiting = this.#queue;
    this.#queue = [];
    this.#handle
      .use((db) => readAll(db, waiting, this.#handle))
      .catch((error: unknown) => {
        for (const { reject } of waiting) reject(error);
      });
  }
}

async function readAll(
  db: Db,
  waiting: readonly Waiting[],
  handle: Pick<DbHandle, 'readError'>,
): Promise<void> {
  const keys = waiting.flatMap(({ account }) => [recordKey(account), markerKey(account)]);
  let values: readonly (Buffer | undefined)[];
  try {
    values = await db.getMany(keys);
  } catch (error) {
    if (waiting.length === 1) throw error;
    await Promise.all(
      waiting.map((one) =>
        readAll(db, [one], handle).catch((reason) => one.reject(handle.readError(reason))),
      ),
    );
    return;
  }
  for (const [index, { account, resolve }] of waiting.entries()) {
    resolve({ account, record: values[2 * index], marker: values[2 * index + 1] });
  }
}
