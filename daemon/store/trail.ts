import type { StoredAuditEvent } from '../audit/event.ts';
import { limits } from '../limits.ts';
import type { Store } from './contract.ts';
import type { Db } from './handle.ts';
import { eventKey, metaKey, seqOf } from './keys.ts';
import { openMeta } from './meta.ts';
import type { Snapshot } from './reader.ts';
import { decodeEvent } from './records.ts';
import type { Sealer } from './seal.ts';

type Wanted = Parameters<Store['events']>[0];

/** The place of an event, and the event; undefined: there is none, although there should be. */
export interface Slot {
  readonly seq: number;
  readonly event: StoredAuditEvent | undefined;
  readonly problem?: 'event-missing' | 'event-damaged';
}

/** Events that match. One that is missing or damaged stands in the list as an event of kind `store`. */
export async function readEvents(db: Db, sealer: Sealer, wanted: Wanted): Promise<StoredAuditEvent[]> {
  const snapshot = db.snapshot();
  try {
    const found: StoredAuditEvent[] = [];
    let old = 0;
    for await (const { seq, event, problem } of slots(db, sealer, snapshot, wanted)) {
      if (found.length >= wanted.limit || old >= limits.oldEventsInRow) break;
      if (!event) {
        found.push(unreadable(seq, problem ?? 'event-damaged'));
        continue;
      }
      const inTime = wanted.since === undefined || event.at >= wanted.since;
      old = inTime || wanted.forward ? 0 : old + 1;
      if (inTime && (wanted.account === undefined || event.account === wanted.account)) found.push(event);
    }
    return found;
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
  if (!value) return { seq, event: undefined, problem: 'event-missing' };
  try {
    const { plaintext } = sealer.open('audit', eventKey(seq), value);
    return { seq, event: { ...decodeEvent(plaintext), seq } };
  } catch {
    return { seq, event: undefined, problem: 'event-damaged' };
  }
}

function unreadable(seq: number, reason: 'event-missing' | 'event-damaged'): StoredAuditEvent {
  return { seq, kind: 'store', outcome: 'error', at: 0, account: '', reason };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

/**
 * The last event of a row at the old end that is to go, at most `limit` long; below the first one: none.
 * One that cannot be read goes with one behind it.
 */
export async function lastToDrop(
  db: Db,
  sealer: Sealer,
  wanted: { readonly before: number; readonly keep: number; readonly limit: number },
): Promise<number> {
  const snapshot = db.snapshot();
  try {
    const meta = await db.get(metaKey, { snapshot });
    if (!meta) return 0;
    const { first, last } = openMeta(sealer, meta);
    let upTo = first - 1;
    for await (const { seq, event } of slots(db, sealer, snapshot, { forward: true })) {
      if (seq - first >= wanted.limit) break;
      if (last - seq >= wanted.keep) upTo = seq;
      else if (event && event.at < wanted.before) upTo = seq;
      else if (event) break;
    }
    return upTo;
  } finally {
    await snapshot.close();
  }
}
