import { closeSync, fsyncSync, openSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { AuditEvent } from '../audit/event.ts';
import { syncDirectory } from '../lib/durable.ts';
import type { Sealer } from '../sealing/seal.ts';
import type { AccountRecord, SegmentReason, YubikeyCounterRecord } from '../store/contract.ts';
import { checkDirectory } from '../store/leveldb/directory-check.ts';
import { type LevelDb, openLevel } from '../store/leveldb/leveldb.ts';
import { lostEvent } from '../store/sealed/audit-trail.ts';
import {
  type ChainState,
  chained,
  chainHash,
  type Gap,
  newChain,
  splitChained,
  withNewSegment,
} from '../store/sealed/chain.ts';
import { type HashKey, sealedHashKey } from '../store/sealed/hash-keys.ts';
import { type Meta, openMeta, sealMeta } from '../store/sealed/meta.ts';
import {
  eventKey,
  isTokenName,
  markerKey,
  metaKey,
  overShareKey,
  recordKey,
  tokenName,
} from '../store/sealed/record-keys.ts';
import { encodeAccount, encodeEvent, encodeToken } from '../store/sealed/records.ts';

const EMPTY = Buffer.alloc(0);
/** Operations that are written at a time. */
const pageOf = 512;

/**
 * A store that is written from the beginning, beside the one that is in use.
 *
 * Invariant: it becomes a store only with finish(), which ends with everything durable; until then it has no
 * metadata, so that no process opens it.
 */
export class StoreBuilder {
  readonly #db: LevelDb;
  readonly #directory: string;
  readonly #sealer: Sealer;
  readonly #commit: number;
  #operations: { type: 'put'; key: Buffer; value: Buffer }[] = [];
  #accounts = 0;
  #first = 1;
  #last = 0;
  #eventBytes = 0;
  #inGaps = 0;
  #overShare = { count: 0, bytes: 0 };
  /** The newest event, as it was encoded. */
  #newest: Buffer | undefined;

  private constructor(db: LevelDb, directory: string, sealer: Sealer, commit: number) {
    this.#db = db;
    this.#directory = directory;
    this.#sealer = sealer;
    this.#commit = commit;
  }

  /** @param commit the number of the one commit that all of it is */
  static async begin(directory: string, sealer: Sealer, commit: number): Promise<StoreBuilder> {
    return new StoreBuilder(await openLevel(directory, true), directory, sealer, commit);
  }

  get accounts(): number {
    return this.#accounts;
  }

  account(record: AccountRecord): Promise<void> {
    return this.#pair(record.account, encodeAccount(record, record.account));
  }

  token(record: YubikeyCounterRecord): Promise<void> {
    return this.#pair(tokenName(record.token), encodeToken(record));
  }

  /** A marker without its record: the account is refused, and not taken for one that never was. */
  async refused(name: string): Promise<void> {
    const key = markerKey(name);
    this.#count(name);
    await this.#put(key, this.#sealer.seal('marker', key, this.#commit, EMPTY));
  }

  /**
   * In their order, each entry or as part of a gap. @param bytes as it was encoded, by any store @param version of
   * its commit
   */
  async event(seq: number, bytes: Buffer, version: number): Promise<void> {
    if (this.#last < this.#first) this.#first = seq;
    this.#last = seq;
    this.#newest = bytes;
    const key = eventKey(seq);
    const value = this.#sealer.seal('audit', key, version, bytes);
    const size = key.length + value.length;
    this.#eventBytes += size;
    await this.#put(key, value);
    if (splitChained(bytes).mark?.overShare !== true) return;
    this.#overShare = { count: this.#overShare.count + 1, bytes: this.#overShare.bytes + size };
    await this.#put(overShareKey(seq), EMPTY);
  }

  /** A range that was pruned out of order. */
  async gap(seq: number, { to }: Gap, bytes: Buffer, version: number): Promise<void> {
    await this.event(seq, bytes, version);
    this.#last = to;
    this.#inGaps += to - seq + 1;
  }

  /** In the place of one that is lost. */
  lostEvent(seq: number): Promise<void> {
    const lost: AuditEvent = { kind: 'store', outcome: 'error', at: 0, account: '', reason: lostEvent };
    return this.event(seq, encodeEvent(lost), this.#commit);
  }

  async hashKey(hashKey: HashKey): Promise<void> {
    const { key, value } = sealedHashKey(this.#sealer, hashKey, this.#commit);
    await this.#put(key, value);
  }

  /**
   * @param said the last event of the trail: what was done
   * @param begin why a segment of the chain begins with it
   * @param trail what the store said of itself whose trail this is; its chain goes on
   */
  async finish(storeId: string, said: AuditEvent, begin: SegmentReason, trail?: Meta): Promise<void> {
    const isEmpty = this.#last < this.#first;
    const seq = 1 + (isEmpty ? (trail?.last ?? 0) : this.#last);
    const { plaintext, chain } = chained(this.#chainOf(begin, trail), seq, encodeEvent(said));
    await this.event(seq, plaintext, this.#commit);
    await this.#flush();
    const meta: Meta = {
      storeId,
      commit: this.#commit,
      accounts: this.#accounts,
      first: this.#first,
      last: this.#last,
      chain,
      eventBytes: this.#eventBytes,
      ...(this.#inGaps === 0 ? {} : { inGaps: this.#inGaps }),
      ...(this.#overShare.count === 0 ? {} : { overShare: this.#overShare }),
      ...(trail?.dropped === undefined ? {} : { dropped: trail.dropped }),
    };
    await this.#db.put(metaKey, sealMeta(this.#sealer, meta), { sync: true });
    await this.#db.close();
    syncAll(this.#directory);
    await checkDirectory(this.#directory, Number.POSITIVE_INFINITY);
  }

  #chainOf(begin: SegmentReason, trail: Meta | undefined): ChainState {
    if (trail?.chain === undefined) return newChain(begin);
    const chain = withNewSegment(trail.chain, begin);
    const newest = this.#newest;
    // What the store said of itself is older than the newest event that was found.
    if (newest === undefined || this.#last <= trail.last || splitChained(newest).mark === undefined)
      return chain;
    const { mark, gap } = splitChained(newest);
    const head = gap?.link ?? chainHash(chain.key, this.#last, newest);
    return { ...chain, segment: mark?.segment ?? chain.segment, head };
  }

  async abandon(): Promise<void> {
    await this.#db.close();
  }

  async #pair(name: string, plaintext: Buffer): Promise<void> {
    const record = recordKey(name);
    const marker = markerKey(name);
    this.#count(name);
    await this.#put(record, this.#sealer.seal('record', record, this.#commit, plaintext));
    await this.#put(marker, this.#sealer.seal('marker', marker, this.#commit, EMPTY));
  }

  #count(name: string): void {
    if (!isTokenName(name)) this.#accounts += 1;
  }

  async #put(key: Buffer, value: Buffer): Promise<void> {
    this.#operations.push({ type: 'put', key, value });
    if (this.#operations.length >= pageOf) await this.#flush();
  }

  async #flush(): Promise<void> {
    await this.#db.batch(this.#operations.splice(0));
  }
}

/** Undefined: it does not say, or cannot be read. */
export async function metaIn({
  db,
  sealer,
}: {
  readonly db: LevelDb;
  readonly sealer: Sealer;
}): Promise<Meta | undefined> {
  try {
    const stored = await db.get(metaKey);
    return stored === undefined ? undefined : openMeta(sealer, stored);
  } catch {
    return undefined;
  }
}

/** LevelDB syncs the log that it writes last, and no log before it. */
export function syncAll(directory: string): void {
  for (const name of readdirSync(directory)) {
    const fd = openSync(join(directory, name), 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }
  syncDirectory(directory);
  syncDirectory(dirname(directory));
}
