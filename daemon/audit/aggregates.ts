import { createRates } from '../lib/rates.ts';
import { limits } from '../limits.ts';
import type { AuditEvent } from './event.ts';

/**
 * The source of an event of a party that has verified no factor. Each listener has separate limits: what local programs
 * do on pam-user.sock leaves the events of other logins and of the portal as they are.
 */
export interface EventOrigin {
  readonly way: 'user-socket' | 'root-socket' | 'portal';
  /** "uid:1000", a network address, a host name. */
  readonly party: string;
}

export interface Aggregates {
  /** Whether this one is stored by itself; counts it, if so. */
  single(event: AuditEvent, origin: EventOrigin): boolean;
  /** Counts one that is not stored by itself. */
  add(event: AuditEvent, origin: EventOrigin): void;
  /** What was counted since, as events with their `count`; they are no longer kept here. */
  take(): readonly AuditEvent[];
  /** For what could not be stored: it is counted again. */
  putBack(events: readonly AuditEvent[]): void;
  readonly size: number;
}

interface Entry {
  readonly event: AuditEvent;
  readonly count: number;
}

/**
 * Bounds the events of those who have verified no factor: the first ones are stored singly, the others are counted
 * by account, reason and party, and become one event each with a `count`.
 *
 * Invariants:
 * - in any minute one party leaves at most `single.burst` + 60 s / `single.forgetOneIn` single events and
 *   `aggregatesOfOne` (plus one a reason) aggregated ones, and so does one account;
 * - each way in leaves at most `ofAll` single events and `aggregates` aggregated ones, however many parties there
 *   are: a user may own thousands of uids, and a /32 of addresses;
 * - each event is in exactly one stored event or count; what the bounds leave out of an aggregated event is first
 *   the party, or the account, then both, never the count.
 */
export function createAggregates(monotonic: () => number): Aggregates {
  const ways = new Map<EventOrigin['way'], Way>();
  const of = (origin: EventOrigin): Way => {
    const known = ways.get(origin.way);
    if (known !== undefined) return known;
    const way = new Way(monotonic);
    ways.set(origin.way, way);
    return way;
  };
  let kept: readonly AuditEvent[] = [];
  return {
    single: (event, origin) => of(origin).single(event, origin.party),
    add: (event, origin) => of(origin).add(event, origin.party),
    take() {
      const events = [...kept, ...[...ways.values()].flatMap((way) => way.take())];
      kept = [];
      return events;
    },
    putBack(events) {
      kept = folded(events);
    },
    get size() {
      return kept.length + [...ways.values()].reduce((sum, { size }) => sum + size, 0);
    },
  };
}

class Way {
  readonly #rates: ReturnType<typeof createRates>;
  readonly #entries = new Map<string, Entry>();
  /** How many entries name this party, or this account. */
  readonly #named = new Map<string, number>();

  constructor(monotonic: () => number) {
    this.#rates = createRates(monotonic, limits.flood.parties);
  }

  get size(): number {
    return this.#entries.size;
  }

  single({ account }: AuditEvent, party: string): boolean {
    const keys = [
      ['all', limits.flood.ofAll],
      [`party ${party}`, limits.flood.single],
      [`account ${account}`, limits.flood.single],
    ] as const;
    if (!keys.every(([key, rate]) => this.#rates.allows(key, rate))) return false;
    for (const [key, rate] of keys) this.#rates.add(key, rate);
    return true;
  }

  add(event: AuditEvent, party: string): void {
    const isKnown = this.#entries.has(keyOf(event, event.account, party));
    const isFull = this.#entries.size >= limits.flood.aggregates;
    const names = [`party ${party}`, `account ${event.account}`] as const;
    const [ofParty, ofAccount] = names.map((name) => this.#named.get(name) ?? 0) as [number, number];
    const most = limits.flood.aggregatesOfOne;
    // An account of many parties is still named, a party of many accounts too; beyond both only the count stays.
    const namesAccount = isKnown || (!isFull && ofParty < most);
    const namesParty = isKnown || (!isFull && ofAccount < most);
    const key = keyOf(event, namesAccount ? event.account : '', namesParty ? party : '');
    const known = this.#entries.get(key);
    const shown = namesAccount ? event : { ...event, account: '' };
    if (known !== undefined) {
      this.#entries.set(key, { event: common(known.event, shown), count: known.count + 1 });
      return;
    }
    this.#entries.set(key, { event: shown, count: 1 });
    if (namesAccount && namesParty)
      for (const name of names) this.#named.set(name, (this.#named.get(name) ?? 0) + 1);
  }

  take(): readonly AuditEvent[] {
    const events = [...this.#entries.values()].map(({ event, count }) =>
      count === 1 ? event : { ...event, count },
    );
    this.#entries.clear();
    this.#named.clear();
    return events;
  }
}

function keyOf({ kind, outcome, reason }: AuditEvent, account: string, party: string): string {
  return JSON.stringify([kind, outcome, reason, account, party]);
}

const mayDiffer = [
  'host',
  'realm',
  'service',
  'source',
  'tty',
  'caller',
  'factor',
  'actor',
  'would',
] as const;

/** The newer one, without what the two do not have in common. */
function common(older: AuditEvent, newer: AuditEvent): AuditEvent {
  const event: { -readonly [Field in keyof AuditEvent]: AuditEvent[Field] } = { ...newer };
  for (const field of mayDiffer)
    if (JSON.stringify(older[field]) !== JSON.stringify(newer[field])) delete event[field];
  return event;
}

/** Fewer events of the same count: without the parties, then without the accounts. */
function folded(events: readonly AuditEvent[]): readonly AuditEvent[] {
  if (events.length <= limits.flood.aggregates) return events;
  const byAccount = merged(events);
  if (byAccount.length <= limits.flood.aggregates) return byAccount;
  return merged(byAccount.map((event) => ({ ...event, account: '' })));
}

function merged(events: readonly AuditEvent[]): readonly AuditEvent[] {
  const entries = new Map<string, AuditEvent>();
  for (const event of events) {
    const key = keyOf(event, event.account, '');
    const known = entries.get(key);
    const count = (known?.count ?? (known === undefined ? 0 : 1)) + (event.count ?? 1);
    entries.set(key, known === undefined ? event : { ...common(known, event), count });
  }
  return [...entries.values()];
}
