import { limits } from '../../limits.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { Store, TrailCheck, TrailFault } from '../contract.ts';
import { lostEvent, slots, type TrailEntry } from './audit-trail.ts';
import { type ChainFields, chainHash, type Gap, genesisHash } from './chain.ts';
import type { Db, DbSnapshot } from './db.ts';
import { type Meta, openMeta } from './meta.ts';
import { eventKey, eventRange, metaKey } from './record-keys.ts';

type Options = Parameters<Store['checkTrail']>[0];

/** What is known of the previous event. */
type Before =
  | { readonly kind: 'linked'; readonly link: string; readonly mark?: ChainFields }
  /** No earlier event has a chain hash. */
  | { readonly kind: 'unlinked' }
  /** It is missing or damaged, which is already reported. */
  | { readonly kind: 'unknown' };

/**
 * Checks that each event follows the previous one, through one snapshot.
 *
 * Invariants:
 * - a stretch begins with the chain hash of the event before it, read again, or with the hash that was kept when
 *   that event was dropped: no stretch trusts the result of another;
 * - what cannot be verified is not reported as correct: an event after a missing one is only known to come later.
 */
export async function checkChain(db: Db, sealer: Sealer, options: Options): Promise<TrailCheck> {
  const snapshot = db.snapshot();
  try {
    const stored = await db.get(metaKey, { snapshot });
    const meta = stored && openMeta(sealer, stored);
    if (!meta) return new Check({ first: 1, last: 0 }, options).report();
    const check = new Check(meta, options);
    const from = Math.max(meta.first, options.from ?? meta.first);
    await check.begin(from, () => placeBefore(db, sealer, snapshot, from));
    for await (const slot of slots(db, sealer, snapshot, { from, forward: true })) {
      if (check.checked >= options.scan) return check.report(slot.seq);
      check.take(slot);
    }
    check.end(await isAnythingBeyond(db, snapshot, meta.last));
    return check.report();
  } finally {
    await snapshot.close();
  }
}

async function placeBefore(
  db: Db,
  sealer: Sealer,
  snapshot: DbSnapshot,
  from: number,
): Promise<TrailEntry | undefined> {
  for await (const slot of slots(db, sealer, snapshot, { from: from - 1 })) return slot;
  return undefined;
}

async function isAnythingBeyond(db: Db, snapshot: DbSnapshot, last: number): Promise<boolean> {
  const range = { gt: eventKey(last), lt: eventRange.lt };
  return (await db.iterator({ ...range, limit: 1, snapshot, fillCache: false }).all()).length > 0;
}

class Check {
  checked = 0;
  readonly #meta: Pick<Meta, 'first' | 'last' | 'chain' | 'dropped'>;
  readonly #options: Options;
  readonly #segments: TrailCheck['segments'][number][] = [];
  readonly #findings: TrailCheck['findings'][number][] = [];
  #before: Before = { kind: 'unlinked' };
  #faults = 0;
  #unchained = 0;
  #gaps = 0;
  #inGaps = 0;
  #chainedFrom: number | undefined;
  #link: string | undefined;
  /** A run of events without chain hashes after events with them is reported once. */
  #wasUnchained = false;

  constructor(meta: Pick<Meta, 'first' | 'last' | 'chain' | 'dropped'>, options: Options) {
    this.#meta = meta;
    this.#options = options;
  }

  async begin(from: number, before: () => Promise<TrailEntry | undefined>): Promise<void> {
    const { first, chain } = this.#meta;
    if (from > first) {
      const slot = await before();
      if (slot === undefined || slot.problem) this.#before = { kind: 'unknown' };
      else if (slot.gap) this.#before = { kind: 'linked', link: slot.gap.link };
      else if (slot.mark) this.#before = this.#linked(slot, slot.mark);
      else this.#wasUnchained = true;
      return;
    }
    if (chain?.base !== undefined) this.#before = { kind: 'linked', link: chain.base };
  }

  take(slot: TrailEntry): void {
    this.checked += 1;
    const { seq, event, mark, problem, gap } = slot;
    if (gap !== undefined) {
      this.#takeGap(seq, gap, mark);
      return;
    }
    const isLost = event?.reason === lostEvent && event.kind === 'store' && mark === undefined;
    if (problem || !event || isLost) {
      this.#fault(seq, problem === 'event-missing' || isLost ? 'missing' : 'damaged');
      this.#before = { kind: 'unknown' };
    } else if (mark) {
      this.#chainedFrom ??= seq;
      if (mark.begins) {
        const { daemon, segment, begins: reason } = mark;
        this.#segments.push({ seq, at: event.at, daemon, segment, reason });
      }
      const fault = this.#faultOf(seq, mark);
      if (fault) this.#fault(seq, fault);
      this.#before = this.#linked(slot, mark);
      this.#wasUnchained = false;
    } else {
      this.#unchained += 1;
      if (this.#before.kind === 'linked' && !this.#wasUnchained) this.#fault(seq, 'no-link');
      this.#wasUnchained = true;
    }
  }

  /** Events dropped before older ones: the chain continues through the gap. */
  #takeGap(seq: number, gap: Gap, mark: ChainFields | undefined): void {
    this.#gaps += 1;
    this.#inGaps += gap.to - seq + 1;
    const fault = mark === undefined ? 'damaged' : this.#faultOf(seq, mark);
    if (fault) this.#fault(seq, fault);
    this.#before = { kind: 'linked', link: gap.link, ...(mark === undefined ? {} : { mark }) };
    this.#wasUnchained = false;
  }

  /** The newest event must be the one whose chain hash the store recorded with it. */
  end(isAnythingBeyond: boolean): void {
    const { chain, last, first } = this.#meta;
    if (isAnythingBeyond) this.#fault(last + 1, 'beyond');
    if (chain === undefined || last < first || this.#before.kind === 'unknown') return;
    const link = this.#before.kind === 'linked' ? this.#before.link : genesisHash;
    if (link !== chain.head) this.#fault(last, 'head');
  }

  report(next?: number): TrailCheck {
    const { first, last, chain, dropped } = this.#meta;
    return {
      first,
      last,
      checked: this.checked,
      ...(next === undefined ? {} : { next }),
      ...(next === undefined && chain !== undefined ? { head: chain.head } : {}),
      unchained: this.#unchained,
      ...(this.#chainedFrom === undefined ? {} : { chainedFrom: this.#chainedFrom }),
      gaps: this.#gaps,
      inGaps: this.#inGaps,
      ...(dropped === undefined ? {} : { dropped }),
      segments: this.#segments,
      faults: this.#faults,
      findings: this.#findings,
      ...(this.#link === undefined ? {} : { link: this.#link }),
    };
  }

  #faultOf(seq: number, mark: ChainFields): TrailFault | undefined {
    const before = this.#before;
    if (before.kind === 'unknown') return undefined;
    if (before.kind === 'unlinked') {
      // No earlier event has a chain hash, so a chain must begin here.
      if (mark.begins !== undefined && mark.before === genesisHash) return undefined;
      return seq === this.#meta.first ? 'beginning' : 'broken';
    }
    if (mark.before !== before.link) return 'broken';
    if (before.mark === undefined) return undefined;
    const { daemon, segment } = before.mark;
    const follows = mark.begins ? mark.segment === segment + 1 : mark.segment === segment;
    return follows && (mark.begins !== undefined || mark.daemon === daemon) ? undefined : 'segment';
  }

  #linked({ seq, plaintext }: TrailEntry, mark: ChainFields): Before {
    const { chain } = this.#meta;
    if (chain === undefined || plaintext === undefined) return { kind: 'unknown' };
    const link = chainHash(chain.key, seq, plaintext);
    if (seq === this.#options.linkOf) this.#link = link;
    return { kind: 'linked', link, mark };
  }

  #fault(seq: number, fault: TrailFault): void {
    this.#faults += 1;
    if (this.#findings.length < limits.trailFindings) this.#findings.push({ seq, fault });
  }
}
