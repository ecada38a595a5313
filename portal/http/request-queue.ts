import { PortalError } from './errors.ts';

/** Runs at most so many at a time; the others wait, up to a number in all and a share per owner. */
export interface RequestQueue {
  run<T>(owner: string, task: () => Promise<T>): Promise<T>;
}

export interface RequestQueueLimits {
  readonly atOnce: number;
  readonly waiting: number;
  /** For one owner, running and waiting. */
  readonly own: number;
}

export function createRequestQueue({
  atOnce,
  waiting: waitingMost,
  own: ownMost,
}: RequestQueueLimits): RequestQueue {
  const waiting: (() => void)[] = [];
  const held = new Map<string, number>();
  let running = 0;

  const enter = async (): Promise<void> => {
    if (running < atOnce) running += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  };

  return {
    async run(owner, task) {
      const own = held.get(owner) ?? 0;
      if (own >= ownMost || (running >= atOnce && waiting.length >= waitingMost))
        throw new PortalError('daemon-unreachable', 'the portal is busy; try again shortly');
      held.set(owner, own + 1);
      await enter();
      try {
        return await task();
      } finally {
        leave();
        const left = (held.get(owner) ?? 1) - 1;
        if (left === 0) held.delete(owner);
        else held.set(owner, left);
      }
    },
  };
}
