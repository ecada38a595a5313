import { limits } from '../limits.ts';
import { type Db, type Handle, readError } from './handle.ts';
import { markerKey, recordKey } from './keys.ts';
import type { Pair } from './reader.ts';
import { claimedVersion } from './seal.ts';

interface Waiting {
  readonly account: string;
  readonly resolve: (pair: Pair) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads both places of accounts.
 *
 * What is asked for lies in memory nearly always, and then waking a thread costs ten times the read: it is
 * read at once. A read that took long says that the disk is slow: for a while all reads go to LevelDB's
 * threads, those of one tick in one go, and hold up nobody else.
 *
 * MUST hold here:
 * - a commit between the two reads is never taken for damage: places that do not agree are read again, in
 *   one snapshot, and only that reading counts;
 * - what is read is not older than the question;
 * - a block that cannot be read harms no account but those in it.
 */
export class PairLoader {
  readonly #handle: Handle;
  readonly #monotonic: () => number;
  #queue: Waiting[] = [];
  #slowUntil = -Infinity;

  /** @param monotonic milliseconds from some start; it never steps */
  constructor(handle: Handle, monotonic: () => number = () => performance.now()) {
    this.#handle = handle;
    this.#monotonic = monotonic;
  }

  async load(account: string): Promise<Pair> {
    const pair = await this.#handle.use(async (db) => this.#readNow(db, account));
    return pair ?? this.#readLater(account);
  }

  /** @returns undefined: it has to be read in a snapshot, or off the event loop */
  #readNow(db: Db, account: string): Pair | undefined {
    const begun = this.#monotonic();
    if (begun < this.#slowUntil) return undefined;
    const record = db.getSync(recordKey(account));
    const marker = db.getSync(markerKey(account));
    const ended = this.#monotonic();
    if (ended - begun > limits.slowRead) this.#slowUntil = ended + limits.slowReadsFor;
    const agree = (record && claimedVersion(record)) === (marker && claimedVersion(marker));
    return agree ? { account, record, marker } : undefined;
  }

  #readLater(account: string): Promise<Pair> {
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
