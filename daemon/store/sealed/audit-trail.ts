import type { StoredAuditEvent } from '../../audit/event.ts';
import { limits } from '../../limits.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { Store } from '../contract.ts';
import { type ChainFields, type Gap, splitChained } from './chain.ts';
import type { Db, DbSnapshot } from './db.ts';
import { openMeta } from './meta.ts';
import { eventKey, eventRange, metaKey, seqOf } from './record-keys.ts';
import { decodeEvent } from './records.ts';

type Wanted = Parameters<Store['events']>[0];

/** The position of an event, and the event; undefined: it is missing or damaged, or the position is a gap. */
export interface TrailEntry {
  readonly seq: number;
  readonly event: StoredAuditEvent | undefined;
  readonly problem?: 'event-missing' | 'event-damaged';
  /** Size in bytes, key included. */
  readonly size: number;
  /** The sealed content, over which its chain hash is computed. */
  readonly plaintext?: Buffer;
  /** Absent: the event comes from a version without a chain, or there is a problem. */
  readonly mark?: ChainFields;
  /** Events from `seq` on were dropped before older ones. */
  readonly gap?: Gap;
}

/** Reason of the event that a repair wrote in place of a lost one. */
export const lostEvent = 'event-lost';

type Search = Parameters<Store['search']>[0];

/** Matching events. A missing or damaged one is listed as an event of kind `store`. */
export async function readEvents(db: Db, sealer: Sealer, wanted: Wanted): Promise<StoredAuditEvent[]> {
  const { account } = wanted;
  const fits = (event: StoredAuditEvent) => account === undefined || event.account === account;
  const { events } = await searchEvents(db, sealer, { ...wanted, fits, scan: Number.POSITIVE_INFINITY });
  return [...events];
}

/** A page of matching events. Continuing from `next` visits each position once, however few of them match. */
export async function searchEvents(db: Db, sealer: Sealer, wanted: Search): ReturnType<Store['search']> {
  const { since, until, forward } = wanted;
  const snapshot = db.snapshot();
  try {
    const events: StoredAuditEvent[] = [];
    let old = 0;
    let seen = 0;
    for await (const { seq, event, problem, gap } of slots(db, sealer, snapshot, wanted)) {
      if (events.length >= wanted.limit || seen >= wanted.scan) return { events, next: seq };
      if (old >= limits.oldEventsInRow) return { events };
      seen += 1;
      if (gap) continue;
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

/**
 * Every position in the trail from `from` on, in order. A missing or damaged event is returned as a problem, a gap
 * as one entry. Going forward, a gap that began before `from` is left out.
 */
export async function* slots(
  db: Db,
  sealer: Sealer,
  snapshot: DbSnapshot,
  options: { readonly from?: number; readonly forward?: boolean },
): AsyncGenerator<TrailEntry, void, undefined> {
  const meta = await db.get(metaKey, { snapshot });
  if (!meta) return;
  const { first, last } = openMeta(sealer, meta);
  const step = options.forward ? 1 : -1;
  let seq = options.forward ? Math.max(first, options.from ?? first) : Math.min(last, options.from ?? last);
  while (seq >= first && seq <= last) {
    const end = clamp(seq + step * (limits.scrubBatch - 1), first, last);
    const page = await readPage(db, snapshot, Math.min(seq, end), Math.max(seq, end));
    while (seq !== end + step) {
      const value = page.get(seq);
      const found = value === undefined ? await gapOver(db, sealer, snapshot, seq) : slot(sealer, seq, value);
      const { gap } = found;
      if (gap === undefined || !options.forward || found.seq === seq) yield found;
      seq = gap === undefined ? seq + step : options.forward ? gap.to + 1 : found.seq - 1;
      if (gap !== undefined) break;
    }
  }
}

async function readPage(
  db: Db,
  snapshot: DbSnapshot,
  from: number,
  to: number,
): Promise<ReadonlyMap<number, Buffer>> {
  const range = { gte: eventKey(from), lte: eventKey(to) };
  const entries = await db.iterator({ ...range, snapshot, fillCache: false }).all();
  return new Map(entries.map(([key, value]) => [seqOf(key), value]));
}

/** The gap that contains a position without an event; otherwise, the event is missing. */
async function gapOver(db: Db, sealer: Sealer, snapshot: DbSnapshot, seq: number): Promise<TrailEntry> {
  const range = { gte: eventRange.gte, lt: eventKey(seq), reverse: true, limit: 1 };
  const [before] = await db.iterator({ ...range, snapshot, fillCache: false }).all();
  const found = before && slot(sealer, seqOf(before[0]), before[1]);
  if (found?.gap !== undefined && found.gap.to >= seq) return found;
  return { seq, event: undefined, problem: 'event-missing', size: 0 };
}

/** Decodes the content of a position. */
export function slot(sealer: Sealer, seq: number, value: Buffer): TrailEntry {
  const key = eventKey(seq);
  const size = key.length + value.length;
  try {
    const { plaintext } = sealer.open('audit', key, value);
    const { json, mark, gap } = splitChained(plaintext);
    const marked = mark === undefined ? {} : { mark };
    if (gap !== undefined) return { seq, event: undefined, size, gap, ...marked };
    return { seq, event: { ...decodeEvent(json), seq }, size, plaintext, ...marked };
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
