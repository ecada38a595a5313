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
 * Reads both places of accounts.
 *
 * The first time LevelDB's threads read, those of one tick in one go: a disk that hangs must hold up nobody
 * else, and least of all the WAIT that tells the module that there is a daemon (design, rule 3). What was read
 * a moment ago, for the prompt, lies in memory when the answer comes, and then waking a thread costs ten times
 * the read: it is read at once, unless reads were slow of late.
 *
 * MUST hold here:
 * - a commit between the two reads is never taken for damage: places that do not agree are read again, in
 *   one snapshot, and only that reading counts;
 * - what is read is not older than the question;
 * - a block that cannot be read harms no account but those in it.
 */
export class RecordLoader {
  readonly #handle: DbHandle;
  readonly #monotonic: () => number;
  #queue: Waiting[] = [];
  #slowUntil = -Infinity;
  /** When an account was last read, the one read longest ago first. */
  readonly #lately = new Map<string, number>();

  /** @param monotonic milliseconds from some start; it never steps */
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

  /** @returns undefined: it has to be read in a snapshot, or off the event loop */
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
