/** How much of something there is at a time, in all and for one owner, and how many may wait for it. */
export interface SlotLimits {
  readonly all: number;
  readonly own: number;
  readonly waiting: number;
  /** How many of one owner may wait; by default as many as may run. */
  readonly ownWaiting?: number;
}

export type Ran<T> = { readonly kind: 'done'; readonly value: T } | { readonly kind: 'no-slot' };

export interface Slots {
  /**
   * Runs `work` once there is a slot for all of its owners.
   * @param owners those whose share it takes: an account, an address
   * @param ms how long it may wait for a slot; `no-slot` after that, or where too many wait
   */
  run<T>(owners: readonly string[], ms: number, work: () => Promise<T>): Promise<Ran<T>>;
}

interface Waiting {
  readonly owners: readonly string[];
  readonly enter: () => void;
}

/**
 * Invariants:
 * - no owner takes the slots of the others, nor their places in the queue;
 * - first come, first served, among those whose owners have a slot left;
 * - whatever `work` does, its slot is given back once.
 */
export function createSlots(limit: SlotLimits): Slots {
  const taken = new Map<string, number>();
  const waiting = new Set<Waiting>();
  let running = 0;

  const add = (owners: readonly string[], by: 1 | -1): void => {
    running += by;
    for (const owner of owners) {
      const now = (taken.get(owner) ?? 0) + by;
      if (now === 0) taken.delete(owner);
      else taken.set(owner, now);
    }
  };
  const isFree = (owners: readonly string[]): boolean =>
    running < limit.all && owners.every((owner) => (taken.get(owner) ?? 0) < limit.own);
  const mayWait = (owners: readonly string[]): boolean => {
    if (waiting.size >= limit.waiting) return false;
    const others = [...waiting];
    const most = limit.ownWaiting ?? limit.own;
    return owners.every((owner) => others.filter((other) => other.owners.includes(owner)).length < most);
  };
  const leave = (owners: readonly string[]): void => {
    add(owners, -1);
    for (const next of waiting) {
      if (!isFree(next.owners)) continue;
      waiting.delete(next);
      add(next.owners, 1);
      next.enter();
      return;
    }
  };
  const enter = (owners: readonly string[], ms: number): Promise<boolean> => {
    if (isFree(owners)) {
      add(owners, 1);
      return Promise.resolve(true);
    }
    if (!mayWait(owners)) return Promise.resolve(false);
    return entered(waiting, owners, ms);
  };

  return {
    async run(owners, ms, work) {
      if (!(await enter(owners, ms))) return { kind: 'no-slot' };
      try {
        return { kind: 'done', value: await work() };
      } finally {
        leave(owners);
      }
    },
  };
}

/** Waits for a slot. @returns false: none came in time */
function entered(waiting: Set<Waiting>, owners: readonly string[], ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const mine: Waiting = {
      owners,
      enter: () => {
        clearTimeout(late);
        resolve(true);
      },
    };
    const late = setTimeout(() => {
      waiting.delete(mine);
      resolve(false);
    }, ms);
    waiting.add(mine);
  });
}

/** Lets so much work in at a time; what comes meanwhile waits, first come first served. */
export type Semaphore = <T>(work: () => Promise<T>) => Promise<T>;

export function createSemaphore(places: number): Semaphore {
  let free = places;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      // The slot passes to the next waiter without being free in between.
      if (next === undefined) free += 1;
      else next();
    }
  };
}
