import { limits } from '../../limits.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { DropCount } from '../contract.ts';
import { slot, slots, type TrailEntry } from './audit-trail.ts';
import { type ChainFields, chainHash, gapOf } from './chain.ts';
import type { Db } from './db.ts';
import { heldEvents, type Meta, trailBytes } from './meta.ts';
import { eventKey, eventRange, overShareRange, seqOf } from './record-keys.ts';

/** How much the trail may hold: events, and bytes with their keys. */
export interface TrailBounds {
  readonly keep: number;
  readonly keepBytes: number;
}

export interface ToDrop extends TrailBounds {
  /** Older ones go; milliseconds since the epoch. */
  readonly before: number;
}

/** What goes, in one step. */
export interface Drop {
  /** Keys of events and gaps; of places beyond their share. */
  readonly places: readonly number[];
  readonly overShare: readonly number[];
  /** How many events, and what all of it takes up. */
  readonly held: number;
  readonly bytes: number;
  /** What of it was beyond its share. */
  readonly over: { readonly count: number; readonly bytes: number };
  /** How many for which reason; when the newest happened that went though it was not too old. */
  readonly why: DropCount;
  /** The beginning moves on, behind this place and its link; so many places of gaps go with it. */
  readonly beginning?: { readonly to: number; readonly link?: string; readonly inGaps: number };
  /** Gaps, as they are from now on. */
  readonly gaps?: readonly { readonly at: number; readonly plaintext: Buffer }[];
}

/** Whether the trail is over its bounds. */
export function isOver(meta: Meta, { keep, keepBytes }: TrailBounds): boolean {
  return heldEvents(meta) > keep || trailBytes(meta) > keepBytes;
}

/**
 * What is to go next, in a bounded step; undefined: nothing.
 *
 * Invariants, for a trail that is over its bounds:
 * - events beyond the share of their account go first, the oldest of them first, while they take up more than
 *   `trailShare.beyond` of the bounds; what is within the share of its account goes only when it is the oldest of all;
 * - so one account moves the beginning of the trail by no more than that, once, and its share each day, whatever it
 *   does (shares.ts); an account beyond its share still has room, which it then takes from such accounts only;
 * - a row that is dropped out of turn leaves one gap with the links of both ends: the chain stays whole, and says
 *   where something is no more.
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

/** Dropped beyond what is needed: the next step comes later. */
const slack = 1 / 64;

function hasMuchOverShare({ overShare }: Pick<Meta, 'overShare'>, { keep, keepBytes }: TrailBounds): boolean {
  if (overShare === undefined) return false;
  const room = limits.trailShare.beyond;
  return overShare.count > keep * room || overShare.bytes > keepBytes * room;
}

/** How much is to go, so that a step does not follow on each event. */
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

/** What goes, as it is put together. */
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

/** The row of events at the old end that is to go. One that cannot be read, and a gap, go with one behind them. */
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
      // Of one that cannot be read, only the one behind it says the link.
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

/** The oldest events beyond the share of their account; each row of them leaves a gap. */
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
  // What it says of itself is more than there is: damage, long ago.
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
      // Nothing that could be dropped out of turn: it goes with the beginning.
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

/** One with the gaps beside it, so that there are never more gaps than events between them. */
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

/** It begins where a gap before it does, if that ends there. */
async function besideGap(db: Db, sealer: Sealer, hole: Hole, dropping: Dropping): Promise<Hole> {
  const range = { gte: eventRange.gte, lt: eventKey(hole.at), reverse: true, limit: 1, fillCache: false };
  const [before] = await db.iterator(range).all();
  const left = before && slot(sealer, seqOf(before[0]), before[1]);
  if (left?.gap?.to !== hole.at - 1 || left.mark === undefined) return hole;
  dropping.bytes += left.size;
  return { ...hole, at: left.seq, mark: left.mark };
}
