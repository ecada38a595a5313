import { setBounded } from '../../lib/bounded-map.ts';
import { limits } from '../../limits.ts';
import { claimedVersion } from '../../sealing/seal.ts';
import type { Db, DbHandle } from './db.ts';
import type { MarkedRecord } from './reader.ts';
import { markerKey, recordKey } from './record-keys.ts';

interface Waiting {
  readonly account: string;
  readonly resolve: (pair: MarkedRecord) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads records and markers of accounts.
 *
 * The first read runs on LevelDB's threads, one request for all reads of a tick: a disk that hangs must not delay
 * anything else, in particular not the WAIT that shows the module that the daemon runs (design, rule 3). What was
 * just read for the prompt is in memory when the answer arrives, and then waking a thread costs ten times the
 * read: it is read synchronously, unless reads were slow recently.
 *
 * Invariants:
 * - a commit between the two reads is never reported as damage: entries that disagree are read again, in one
 *   snapshot, and only that reading counts;
 * - data is never older than the request for it;
 * - a block that cannot be read affects only the accounts in it.
 */
export class RecordLoader {
  readonly #handle: DbHandle;
  readonly #monotonic: () => number;
  #queue: Waiting[] = [];
  #slowUntil = -Infinity;
  /** When each account was last read, in order of the last read, oldest first. */
  readonly #lately = new Map<string, number>();

  /** @param monotonic milliseconds from an arbitrary start; never adjusted */
  constructor(handle: DbHandle, monotonic: () => number = () => performance.now()) {
    this.#handle = handle;
    this.#monotonic = monotonic;
  }

  async load(account: string): Promise<MarkedRecord> {
    const pair = this.#isFresh(account)
      ? await this.#handle.use(async (db) => this.#readNow(db, account))
      : undefined;
    if (pair !== undefined) return pair;
    const read = await this.#readLater(account);
    setBounded(this.#lately, account, this.#monotonic(), limits.openedRecords);
    return read;
  }

  #isFresh(account: string): boolean {
    const now = this.#monotonic();
    const read = this.#lately.get(account);
    return now >= this.#slowUntil && read !== undefined && now - read < limits.readLately;
  }

  /** @returns undefined if it must be read in a snapshot, or off the event loop */
  #readNow(db: Db, account: string): MarkedRecord | undefined {
    const begun = this.#monotonic();
    const record = db.getSync(recordKey(account));
    if (this.#wasSlow(begun)) return undefined;
    const marker = db.getSync(markerKey(account));
    if (this.#wasSlow(begun)) return undefined;
    const agree = (record && claimedVersion(record)) === (marker && claimedVersion(marker));
    return agree ? { account, record, marker } : undefined;
  }

  #wasSlow(begun: number): boolean {
    const now = this.#monotonic();
    if (now - begun <= limits.slowRead) return false;
    this.#slowUntil = now + limits.slowReadsFor;
    return true;
  }

  #readLater(account: string): Promise<MarkedRecord> {
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
