import type { StoredAuditEvent } from '../audit/event.ts';
import { limits } from '../limits.ts';
import { type ChainMark, linkOf, parted } from './chain.ts';
import type { Store } from './contract.ts';
import type { Db } from './handle.ts';
import { eventKey, metaKey, seqOf } from './keys.ts';
import { openMeta, trailBytes } from './meta.ts';
import type { Snapshot } from './reader.ts';
import { decodeEvent } from './records.ts';
import type { Sealer } from './seal.ts';

type Wanted = Parameters<Store['events']>[0];

/** The place of an event, and the event; undefined: there is none, although there should be. */
export interface Slot {
  readonly seq: number;
  readonly event: StoredAuditEvent | undefined;
  readonly problem?: 'event-missing' | 'event-damaged';
  /** What it takes up, key included. */
  readonly size: number;
  /** What was sealed, of which its link is made. */
  readonly plaintext?: Buffer;
  /** Absent: it comes from a version without a chain, or there is a problem. */
  readonly mark?: ChainMark;
}

/** Reason of the event that a repair put in the place of one that was lost. */
export const lostEvent = 'event-lost';

type Search = Parameters<Store['search']>[0];

/** Events that match. One that is missing or damaged stands in the list as an event of kind `store`. */
export async function readEvents(db: Db, sealer: Sealer, wanted: Wanted): Promise<StoredAuditEvent[]> {
  const { account } = wanted;
  const fits = (event: StoredAuditEvent) => account === undefined || event.account === account;
  const { events } = await searchEvents(db, sealer, { ...wanted, fits, scan: Number.POSITIVE_INFINITY });
  return [...events];
}

/** A page of what fits. Whoever goes on from `next` sees each place once, however few of them fit. */
export async function searchEvents(db: Db, sealer: Sealer, wanted: Search): ReturnType<Store['search']> {
  const { since, until, forward } = wanted;
  const snapshot = db.snapshot();
  try {
    const events: StoredAuditEvent[] = [];
    let old = 0;
    let seen = 0;
    for await (const { seq, event, problem } of slots(db, sealer, snapshot, wanted)) {
      if (events.length >= wanted.limit || seen >= wanted.scan) return { events, next: seq };
      if (old >= limits.oldEventsInRow) return { events };
      seen += 1;
      if (!event) {
        events.push(unreadable(seq, problem ?? 'event-damaged'));
        continue;
      }
      const isOld = since !== undefined && event.at < since;
      old = isOld && !forward ? old + 1 : 0;
      if (!isOld && (until === undefined || event.at < until) && wanted.fits(event)) events.push(event);
    }
    return { events };
  } finally {
    await snapshot.close();
  }
}

/** Every place in the trail from `from` on, in order; what should be there and is not comes as a problem. */
export async function* slots(
  db: Db,
  sealer: Sealer,
  snapshot: Snapshot,
  options: { readonly from?: number; readonly forward?: boolean },
): AsyncGenerator<Slot, void, undefined> {
  const meta = await db.get(metaKey, { snapshot });
  if (!meta) return;
  const { first, last } = openMeta(sealer, meta);
  const step = options.forward ? 1 : -1;
  let seq = options.forward ? Math.max(first, options.from ?? first) : Math.min(last, options.from ?? last);
  while (seq >= first && seq <= last) {
    const end = clamp(seq + step * (limits.scrubBatch - 1), first, last);
    const page = await readPage(db, snapshot, Math.min(seq, end), Math.max(seq, end));
    for (; seq !== end + step; seq += step) yield slot(sealer, seq, page.get(seq));
  }
}

async function readPage(
  db: Db,
  snapshot: Snapshot,
  from: number,
  to: number,
): Promise<ReadonlyMap<number, Buffer>> {
  const range = { gte: eventKey(from), lte: eventKey(to) };
  const entries = await db.iterator({ ...range, snapshot, fillCache: false }).all();
  return new Map(entries.map(([key, value]) => [seqOf(key), value]));
}

function slot(sealer: Sealer, seq: number, value: Buffer | undefined): Slot {
  if (!value) return { seq, event: undefined, problem: 'event-missing', size: 0 };
  const key = eventKey(seq);
  const size = key.length + value.length;
  try {
    const { plaintext } = sealer.open('audit', key, value);
    const { json, mark } = parted(plaintext);
    const event = { ...decodeEvent(json), seq };
    return { seq, event, size, plaintext, ...(mark === undefined ? {} : { mark }) };
  } catch {
    return { seq, event: undefined, problem: 'event-damaged', size };
  }
}

function unreadable(seq: number, reason: 'event-missing' | 'event-damaged'): StoredAuditEvent {
  return { seq, kind: 'store', outcome: 'error', at: 0, account: '', reason };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

export interface ToDrop {
  readonly before: number;
  readonly keep: number;
  /** What the trail may take up. */
  readonly keepBytes: number;
  readonly limit: number;
}

/** A row at the old end that is to go: its last event, what all of it takes up, and the link of its last. */
export interface Row {
  readonly to: number;
  readonly bytes: number;
  readonly link?: string;
}

/**
 * The row of events at the old end that is to go, at most `limit` long; undefined: none is.
 * One that cannot be read goes with one behind it.
 */
export async function rowToDrop(db: Db, sealer: Sealer, wanted: ToDrop): Promise<Row | undefined> {
  const snapshot = db.snapshot();
  try {
    const stored = await db.get(metaKey, { snapshot });
    if (!stored) return undefined;
    const meta = openMeta(sealer, stored);
    const { first, last, chain } = meta;
    const total = trailBytes(meta);
    let row: Row | undefined;
    let bytes = 0;
    for await (const { seq, event, size, mark, plaintext } of slots(db, sealer, snapshot, {
      forward: true,
    })) {
      // Of one that cannot be read, only the one behind it says the link.
      if (row !== undefined && row.to === seq - 1 && row.link === undefined && chain && mark)
        row = { ...row, link: mark.before };
      if (seq - first >= wanted.limit) break;
      const isOver = last - seq >= wanted.keep || total - bytes > wanted.keepBytes;
      bytes += size;
      if (!isOver && event && event.at >= wanted.before) break;
      if (!isOver && !event) continue;
      const link = chain && mark && plaintext && linkOf(chain.key, seq, plaintext);
      row = { to: seq, bytes, ...(link === undefined ? {} : { link }) };
    }
    return row;
  } finally {
    await snapshot.close();
  }
}
