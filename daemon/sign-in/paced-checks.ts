import { limits } from '../limits.ts';

/**
 * The separate queues for password checks: users that are already verified in some way, strangers at the portal, and
 * programs of local users.
 */
export type Lane = 'verified' | 'portal' | 'local';

export interface Party {
  readonly lane: Lane;
  /** What it counts for: a network, a uid, an account. */
  readonly source: string;
  /** As typed; undefined if no password of a name is tried. */
  readonly name: string | undefined;
}

export interface PacedChecks {
  /**
   * Runs a check in its order, and returns its outcome when its slot ends.
   * @param leavesAtOnce for outcomes that only a user with a verified factor can get
   * @returns `busy` if too many wait; then nothing was run
   */
  run<T>(party: Party, work: () => Promise<T>, leavesAtOnce: (outcome: T) => boolean): Promise<T | 'busy'>;
}

export interface PacedChecksOptions {
  /** Milliseconds. */
  readonly monotonic: () => number;
  readonly sleep?: (ms: number) => Promise<void>;
}

interface Waiting {
  readonly party: Party;
  readonly since: number;
  /** @param isLate whether it has waited too long; then it is not run */
  readonly begin: (isLate: boolean) => void;
}

/**
 * Invariants:
 * - a slot lasts equally long for every outcome: its length is set before the check begins, by the recent duration of
 *   checks of any name; a check that overruns it ends on the next beat, and lengthens the slots after it;
 * - a source, and a name as typed, has one check at a time, and its next one begins when the slot ends: waiting times
 *   depend only on how many wait, never on the outcome of a check;
 * - sources are served round robin, and each has a share of the queue: a busy source delays others by at most one slot;
 * - no lane uses slots or queue entries of another one; together they have no more slots than the password helper.
 */
export function createPacedChecks(options: PacedChecksOptions): PacedChecks {
  const pace = createPace(options.monotonic);
  const sleep = options.sleep ?? wait;
  const lanes: Readonly<Record<Lane, LaneQueue>> = {
    verified: new LaneQueue(limits.signInSlots.verified, options.monotonic),
    portal: new LaneQueue(limits.signInSlots.portal, options.monotonic),
    local: new LaneQueue(limits.signInSlots.local, options.monotonic),
  };
  return {
    async run(party, work, leavesAtOnce) {
      const lane = lanes[party.lane];
      if (!(await lane.enter(party))) return 'busy';
      try {
        const began = options.monotonic();
        const slot = pace.slot();
        const ended = async (): Promise<void> => {
          const took = options.monotonic() - began;
          pace.note(took);
          await sleep(Math.max(slot, pace.onBeat(took)) - took);
        };
        try {
          const outcome = await work();
          if (!leavesAtOnce(outcome)) await ended();
          return outcome;
        } catch (error) {
          await ended();
          throw error;
        }
      } finally {
        lane.leave(party);
      }
    },
  };
}

class LaneQueue {
  readonly #slots: number;
  readonly #monotonic: () => number;
  /** In round-robin order. */
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #sources = new Set<string>();
  readonly #names = new Set<string>();
  #running = 0;
  #size = 0;

  constructor(slots: number, monotonic: () => number) {
    this.#slots = slots;
    this.#monotonic = monotonic;
  }

  /** @returns false if too many wait, or it has waited too long */
  enter(party: Party): Promise<boolean> {
    const own = this.#waiting.get(party.source) ?? [];
    const { all, own: ownMost } = limits.signInWaiting;
    if (this.#size >= all || own.length >= ownMost) return Promise.resolve(false);
    return new Promise((resolve) => {
      own.push({ party, since: this.#monotonic(), begin: (isLate) => resolve(!isLate) });
      this.#waiting.set(party.source, own);
      this.#size += 1;
      this.#next();
    });
  }

  leave({ source, name }: Party): void {
    this.#running -= 1;
    this.#sources.delete(source);
    if (name !== undefined) this.#names.delete(name);
    const own = this.#waiting.get(source);
    // The source that just had a slot goes behind all others.
    if (own !== undefined && this.#waiting.delete(source)) this.#waiting.set(source, own);
    this.#next();
  }

  #next(): void {
    for (const [source, own] of [...this.#waiting]) {
      if (this.#running >= this.#slots) return;
      const [first] = own;
      if (first === undefined || !this.#isFree(first.party)) continue;
      own.shift();
      this.#size -= 1;
      if (own.length === 0) this.#waiting.delete(source);
      const isLate = this.#monotonic() - first.since > limits.signInWait;
      if (!isLate) this.#take(first.party);
      first.begin(isLate);
    }
  }

  #isFree({ source, name }: Party): boolean {
    return !this.#sources.has(source) && (name === undefined || !this.#names.has(name));
  }

  #take({ source, name }: Party): void {
    this.#running += 1;
    this.#sources.add(source);
    if (name !== undefined) this.#names.add(name);
  }
}

interface Pace {
  /** How long the next slot lasts. */
  slot(): number;
  note(took: number): void;
  /** The end of the beat that has begun. */
  onBeat(took: number): number;
}

/** One and a half times the longest of the last checks, in whole beats. */
function createPace(monotonic: () => number): Pace {
  const { least, remembered, forgotten } = limits.signInSlot;
  const beat = limits.refusalBeat;
  let recent: readonly { readonly took: number; readonly at: number }[] = [];
  const onBeat = (took: number): number => Math.ceil(took / beat) * beat;
  return {
    slot() {
      const since = monotonic() - forgotten;
      const longest = recent.reduce((most, { took, at }) => (at < since ? most : Math.max(most, took)), 0);
      return Math.min(limits.passwordWait, Math.max(least, onBeat(1.5 * longest)));
    },
    note(took) {
      recent = [...recent.slice(1 - remembered), { took, at: monotonic() }];
    },
    onBeat,
  };
}

function wait(ms: number): Promise<void> {
  return ms <= 0 ? Promise.resolve() : new Promise((resolve) => void setTimeout(resolve, ms));
}
