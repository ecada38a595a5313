import type { StoredAuditEvent } from '../../audit/event.ts';
import { storeError } from '../../sealing/error.ts';
import { claimedVersion, type Sealer } from '../../sealing/seal.ts';
import type { CommitOutcome, DropCount } from '../contract.ts';
import { chained, newChain } from './chain.ts';
import type { Change, EncodedEvent, Entry } from './change.ts';
import type { Db } from './db.ts';
import { sealedHashKey } from './hash-keys.ts';
import type { KnownRecords, StoredRecord } from './known-records.ts';
import { type Meta, sealMeta, trailBytes } from './meta.ts';
import {
  displayName,
  eventKey,
  isTokenName,
  markerKey,
  metaKey,
  nameOf,
  overShareKey,
  purposeOf,
  recordKey,
  seqOf,
} from './record-keys.ts';
import type { Drop } from './trail-pruning.ts';

export type Operation =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer };

const EMPTY = Buffer.alloc(0);

/**
 * Commits that become durable together, in one batch. Invariants:
 * - each is checked against the versions on disk, or those known of it, and the earlier writes of this batch;
 * - record and marker of an account are always written together, with the number of their commit as version;
 * - a rejected change leaves nothing behind;
 * - each event carries the hash of the previous one, and the store's meta record that of the last.
 */
export class CommitBatch {
  readonly operations: Operation[] = [];
  readonly events: StoredAuditEvent[] = [];
  /** Records that it writes, or removes (version 0), by name. */
  readonly written = new Map<
    string,
    { readonly version: number; readonly value: StoredRecord | undefined }
  >();
  readonly #db: Db;
  readonly #sealer: Sealer;
  readonly #known: KnownRecords;
  #meta: Meta;

  constructor(db: Db, sealer: Sealer, meta: Meta, known: KnownRecords) {
    this.#db = db;
    this.#sealer = sealer;
    this.#known = known;
    this.#meta = meta;
  }

  /** @throws record-damaged if record and marker of an account that it names disagree */
  apply(change: Change): CommitOutcome {
    const expected = change.records.every(({ name, version }) => this.#versionOf(name) === version);
    if (!expected) return 'conflict';
    const writes = change.records.filter(({ write }) => write !== undefined);
    const drops = change.drop === undefined ? 0 : 1;
    const { reseal = [], hashKeys = [] } = change;
    if (writes.length + change.events.length + drops + reseal.length + hashKeys.length === 0)
      return 'committed';

    const resealed = reseal.flatMap((entry) => this.#resealed(entry));
    this.#meta = { ...this.#meta, commit: this.#meta.commit + 1 };
    for (const { name, version, write, value } of writes) {
      if (write) this.#put(name, version, write, value);
      else this.#remove(name, version);
    }
    for (const encoded of change.events) this.#append(encoded);
    if (change.drop) this.#drop(change.drop);
    this.operations.push(...resealed);
    for (const one of hashKeys) {
      const { key, value } = sealedHashKey(this.#sealer, one, this.#meta.commit);
      this.operations.push({ type: 'put', key, value });
    }
    return 'committed';
  }

  /** Adds the store's meta record. @returns its content once all of this is durable */
  finish(): Meta {
    this.operations.push({ type: 'put', key: metaKey, value: sealMeta(this.#sealer, this.#meta) });
    return this.#meta;
  }

  #versionOf(name: string): number {
    const written = this.written.get(name) ?? this.#known.get(name);
    if (written !== undefined) return written.version;
    const record = this.#db.getSync(recordKey(name));
    const marker = this.#db.getSync(markerKey(name));
    if (!record && !marker) return 0;
    const version = marker && claimedVersion(marker);
    if (!record || version === undefined || claimedVersion(record) !== version) {
      throw storeError(
        'record-damaged',
        `The record of ${displayName(name)} is damaged: it and its marker do not agree. Nothing was changed.`,
      );
    }
    return version;
  }

  #put(name: string, version: number, plaintext: Buffer, value: StoredRecord | undefined): void {
    const { commit } = this.#meta;
    const record = recordKey(name);
    const marker = markerKey(name);
    this.operations.push(
      { type: 'put', key: record, value: this.#sealer.seal('record', record, commit, plaintext) },
      { type: 'put', key: marker, value: this.#sealer.seal('marker', marker, commit, EMPTY) },
    );
    this.written.set(name, { version: commit, value });
    if (version === 0 && !isTokenName(name))
      this.#meta = { ...this.#meta, accounts: this.#meta.accounts + 1 };
  }

  #remove(name: string, version: number): void {
    if (version === 0) return;
    this.operations.push({ type: 'del', key: recordKey(name) }, { type: 'del', key: markerKey(name) });
    this.written.set(name, { version: 0, value: undefined });
    if (!isTokenName(name)) this.#meta = { ...this.#meta, accounts: this.#meta.accounts - 1 };
  }

  /**
   * Keeps the version: the content is unchanged, so no decision that read it has to be repeated. Invariant: what
   * was written or dropped since the entry was read stays so.
   */
  #resealed([key, value]: Entry): readonly Operation[] {
    const purpose = purposeOf(key);
    if (purpose === undefined || this.#db.getSync(key)?.equals(value) !== true) return [];
    if (purpose === 'audit' && seqOf(key) < this.#meta.first) return [];
    const isPair = purpose === 'record' || purpose === 'marker';
    if (isPair && this.written.has(nameOf(key).toString())) return [];
    const { version, plaintext } = this.#sealer.open(purpose, key, value);
    return [{ type: 'put', key, value: this.#sealer.seal(purpose, key, version, plaintext) }];
  }

  #append({ event, bytes, overShare = false }: EncodedEvent): void {
    const seq = this.#meta.last + 1;
    const key = eventKey(seq);
    const before = this.#meta.chain ?? newChain(seq === 1 ? 'new-store' : 'earlier-version');
    const { plaintext, chain } = chained(before, seq, bytes, overShare);
    const value = this.#sealer.seal('audit', key, this.#meta.commit, plaintext);
    this.operations.push({ type: 'put', key, value });
    this.events.push({ ...event, seq });
    const size = key.length + value.length;
    this.#meta = { ...this.#meta, last: seq, chain, eventBytes: trailBytes(this.#meta) + size };
    if (!overShare || before.begin !== undefined) return;
    this.operations.push({ type: 'put', key: overShareKey(seq), value: EMPTY });
    this.#overShare(1, size);
  }

  #overShare(count: number, bytes: number): void {
    const { overShare = { count: 0, bytes: 0 } } = this.#meta;
    const sum = { count: overShare.count + count, bytes: overShare.bytes + bytes };
    const { overShare: _, ...rest } = this.#meta;
    this.#meta = sum.count > 0 ? { ...rest, overShare: { ...sum, bytes: Math.max(0, sum.bytes) } } : rest;
  }

  /** When the beginning moves on, it keeps the hash of the event before it; elsewhere, gaps keep theirs. */
  #drop({ places, overShare, over, held, bytes, why, beginning, gaps = [] }: Drop): void {
    for (const seq of places) this.operations.push({ type: 'del', key: eventKey(seq) });
    for (const seq of overShare) this.operations.push({ type: 'del', key: overShareKey(seq) });
    let eventBytes = trailBytes(this.#meta) - bytes;
    for (const { at, plaintext } of gaps) {
      const key = eventKey(at);
      const value = this.#sealer.seal('audit', key, this.#meta.commit, plaintext);
      this.operations.push({ type: 'put', key, value });
      eventBytes += key.length + value.length;
    }
    this.#overShare(-over.count, -over.bytes);
    const { dropped, inGaps = 0, chain } = this.#meta;
    this.#meta = {
      ...this.#meta,
      eventBytes: Math.max(0, eventBytes),
      inGaps: beginning === undefined ? inGaps + held : Math.max(0, inGaps - beginning.inGaps),
      dropped: sumOf(dropped, why),
    };
    if (beginning === undefined) return;
    this.#meta = { ...this.#meta, first: beginning.to + 1 };
    if (chain === undefined) return;
    const { base: _, ...rest } = chain;
    const link = beginning.link === undefined ? {} : { base: beginning.link };
    this.#meta = { ...this.#meta, chain: { ...rest, ...link } };
  }
}

function sumOf(before: DropCount = { age: 0, size: 0, share: 0 }, now: DropCount): DropCount {
  const newest = now.newest ?? before.newest;
  return {
    age: before.age + now.age,
    size: before.size + now.size,
    share: before.share + now.share,
    ...(newest === undefined ? {} : { newest }),
  };
}
