import { limits } from '../../limits.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { DropCount } from '../contract.ts';
import { slot, slots, type TrailEntry } from './audit-trail.ts';
import { type ChainFields, chainHash, gapOf } from './chain.ts';
import type { Db } from './db.ts';
import { heldEvents, type Meta, trailBytes } from './meta.ts';
import { eventKey, eventRange, overShareRange, seqOf } from './record-keys.ts';

/** Bounds of the trail: events, and bytes with their keys. */
export interface TrailBounds {
  readonly keep: number;
  readonly keepBytes: number;
}

export interface ToDrop extends TrailBounds {
  /** Older events are dropped; milliseconds since the epoch. */
  readonly before: number;
}

/** What one step drops. */
export interface Drop {
  /** Keys of events and gaps; index entries of events beyond their share. */
  readonly places: readonly number[];
  readonly overShare: readonly number[];
  /** Number of events, and the bytes that all of it takes up. */
  readonly held: number;
  readonly bytes: number;
  /** The part that was beyond its share. */
  readonly over: { readonly count: number; readonly bytes: number };
  /** Number of events per reason; time of the newest event dropped for a reason other than age. */
  readonly why: DropCount;
  /** The trail now begins after this position and chain hash; `inGaps` positions of gaps are dropped with it. */
  readonly beginning?: { readonly to: number; readonly link?: string; readonly inGaps: number };
  /** Gaps, with their new content. */
  readonly gaps?: readonly { readonly at: number; readonly plaintext: Buffer }[];
}

/** Whether the trail exceeds its bounds. */
export function isOver(meta: Meta, { keep, keepBytes }: TrailBounds): boolean {
  return heldEvents(meta) > keep || trailBytes(meta) > keepBytes;
}

/**
 * What to drop next, in a bounded step; undefined: nothing.
 *
 * Invariants, for a trail that exceeds its bounds:
 * - events beyond the share of their account are dropped first, oldest first, while they take up more than
 *   `trailShare.beyond` of the bounds; an event within the share of its account is dropped only as the oldest of all;
 * - so one account moves the beginning of the trail by no more than that, once, and its share each day, whatever it
 *   does (trail-shares.ts); an account beyond its share still has space, taken only from other such accounts;
 * - a run dropped before older events leaves one gap with the chain hashes of both ends: the chain stays whole, and
 *   shows where events were removed.
 */
export async function nextDrop(
  db: Db,
  sealer: Sealer,
  meta: Meta,
  wanted: ToDrop,
): Promise<Drop | undefined> {
  if (isOver(meta, wanted) && hasMuchOverShare(meta, wanted)) {
    const drop = await overShareToDrop(db, sealer, meta, wanted);
    if (drop !== undefined) return drop;
  }
  return oldestToDrop(db, sealer, meta, wanted);
}

/** Fraction dropped beyond what is needed, so that the next step comes later. */
const slack = 1 / 64;

function hasMuchOverShare({ overShare }: Pick<Meta, 'overShare'>, { keep, keepBytes }: TrailBounds): boolean {
  if (overShare === undefined) return false;
  const room = limits.trailShare.beyond;
  return overShare.count > keep * room || overShare.bytes > keepBytes * room;
}

/** How much to drop, so that not every new event requires a step. */
function excess(meta: Meta, { keep, keepBytes }: TrailBounds): Excess {
  return {
    events: heldEvents(meta) - Math.ceil(keep * (1 - slack)),
    bytes: trailBytes(meta) - Math.ceil(keepBytes * (1 - slack)),
  };
}

interface Excess {
  readonly events: number;
  readonly bytes: number;
}

/** Accumulates what a step drops. */
class Dropping {
  readonly places: number[] = [];
  readonly overShare: number[] = [];
  readonly over = { count: 0, bytes: 0 };
  readonly why = { age: 0, size: 0, share: 0 };
  held = 0;
  bytes = 0;
  inGaps = 0;
  newest: number | undefined;

  event({ seq, event, size, mark, problem }: TrailEntry, why: keyof Dropping['why']): void {
    this.held += 1;
    this.bytes += size;
    this.why[why] += 1;
    if (problem !== 'event-missing') this.places.push(seq);
    if (why !== 'age' && event !== undefined) this.newest = Math.max(this.newest ?? 0, event.at);
    if (mark?.overShare === true) this.noMoreOverShare(seq, size);
  }

  gap({ seq, size }: TrailEntry, to: number): void {
    this.places.push(seq);
    this.bytes += size;
    this.inGaps += to - seq + 1;
  }

  noMoreOverShare(seq: number, size: number): void {
    this.overShare.push(seq);
    this.over.count += 1;
    this.over.bytes += size;
  }

  covers({ events, bytes }: Excess): boolean {
    return this.held >= events && this.bytes >= bytes;
  }

  done(): Drop {
    const { places, overShare, over, held, bytes, newest } = this;
    return {
      places,
      overShare,
      over,
      held,
      bytes,
      why: { ...this.why, ...(newest === undefined ? {} : { newest }) },
    };
  }
}

/** The oldest events to drop. An unreadable event or a gap, which has no age, is dropped with an event after it. */
async function oldestToDrop(db: Db, sealer: Sealer, meta: Meta, wanted: ToDrop): Promise<Drop | undefined> {
  const { first, chain } = meta;
  const need = isOver(meta, wanted) ? excess(meta, wanted) : { events: 0, bytes: 0 };
  const dropping = new Dropping();
  let undecided: TrailEntry[] = [];
  let end: { readonly to: number; readonly link?: string } | undefined;
  let seen = 0;
  const snapshot = db.snapshot();
  try {
    for await (const one of slots(db, sealer, snapshot, { from: first, forward: true })) {
      const { event, mark } = one;
      // The chain hash of an unreadable event is known only from the event after it.
      if (end !== undefined && undecided.length === 0 && end.link === undefined && chain && mark)
        end = { ...end, link: mark.before };
      if (seen >= limits.pageSize) break;
      const isPlenty = !dropping.covers(need);
      const isOld = event !== undefined && event.at < wanted.before;
      if (event !== undefined && !isPlenty && !isOld) break;
      seen += 1;
      undecided.push(one);
      if (!isPlenty && !isOld) continue;
      for (const slot of undecided) {
        if (slot.gap === undefined) dropping.event(slot, isOld ? 'age' : 'size');
        else dropping.gap(slot, slot.gap.to);
      }
      undecided = [];
      end = endOf(one, chain?.key);
    }
  } finally {
    await snapshot.close();
  }
  return end && { ...dropping.done(), beginning: { ...end, inGaps: dropping.inGaps } };
}

function endOf(
  { seq, gap, mark, plaintext }: TrailEntry,
  key: string | undefined,
): { to: number; link?: string } {
  if (gap !== undefined) return { to: gap.to, ...(key === undefined ? {} : { link: gap.link }) };
  if (key === undefined || mark === undefined || plaintext === undefined) return { to: seq };
  return { to: seq, link: chainHash(key, seq, plaintext) };
}

interface Hole {
  at: number;
  to: number;
  link: string;
  readonly mark: ChainFields;
}

/** The oldest events beyond the share of their account; each run of them leaves a gap. */
async function overShareToDrop(
  db: Db,
  sealer: Sealer,
  meta: Meta,
  bounds: TrailBounds,
): Promise<Drop | undefined> {
  const { chain, last, overShare } = meta;
  if (chain === undefined || overShare === undefined) return undefined;
  const keys = await db.keys({ ...overShareRange, limit: limits.pageSize, fillCache: false }).all();
  const places = keys.map(seqOf);
  const values = await db.getMany(places.map(eventKey), { fillCache: false });
  const dropping = new Dropping();
  // The recorded number exceeds what exists, because of earlier damage: correct it.
  if (places.length === 0) return { ...dropping.done(), over: overShare };
  const need = excess(meta, bounds);
  const holes: Hole[] = [];
  for (const [at, seq] of places.entries()) {
    const left = {
      count: overShare.count - dropping.over.count,
      bytes: overShare.bytes - dropping.over.bytes,
    };
    if (seq >= last || dropping.covers(need) || !hasMuchOverShare({ ...meta, overShare: left }, bounds))
      break;
    const value = values[at];
    const one = value && slot(sealer, seq, value);
    const { mark, plaintext } = one ?? {};
    if (one === undefined || mark?.overShare !== true || plaintext === undefined) {
      // Not an event that can be dropped before older ones: it is dropped with the beginning of the trail.
      dropping.noMoreOverShare(seq, one?.size ?? 0);
      continue;
    }
    dropping.event(one, 'share');
    await addTo(
      holes,
      db,
      sealer,
      { at: seq, to: seq, link: chainHash(chain.key, seq, plaintext), mark },
      dropping,
    );
  }
  const gaps = holes.map(({ at, to, link, mark }) => ({ at, plaintext: gapOf({ to, link }, mark) }));
  return dropping.places.length + dropping.overShare.length === 0 ? undefined : { ...dropping.done(), gaps };
}

/** Merges a hole with adjacent gaps, so that there are never more gaps than events between them. */
async function addTo(holes: Hole[], db: Db, sealer: Sealer, hole: Hole, dropping: Dropping): Promise<void> {
  const newest = holes.at(-1);
  const present = newest?.to === hole.at - 1 ? newest : await besideGap(db, sealer, hole, dropping);
  if (present === newest) {
    present.to = hole.to;
    present.link = hole.link;
  } else holes.push(present);
  const behind = await db.get(eventKey(present.to + 1), { fillCache: false });
  const right = behind && slot(sealer, present.to + 1, behind);
  if (right?.gap === undefined) return;
  dropping.bytes += right.size;
  dropping.places.push(right.seq);
  present.to = right.gap.to;
  present.link = right.gap.link;
}

/** The hole begins where the preceding gap does, if that gap ends directly before it. */
async function besideGap(db: Db, sealer: Sealer, hole: Hole, dropping: Dropping): Promise<Hole> {
  const range = { gte: eventRange.gte, lt: eventKey(hole.at), reverse: true, limit: 1, fillCache: false };
  const [before] = await db.iterator(range).all();
  const left = before && slot(sealer, seqOf(before[0]), before[1]);
  if (left?.gap?.to !== hole.at - 1 || left.mark === undefined) return hole;
  dropping.bytes += left.size;
  return { ...hole, at: left.seq, mark: left.mark };
}
