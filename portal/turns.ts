import { PortalError } from './errors.ts';

/** So many at a time; the others wait, up to a number. */
export interface Turns {
  run<T>(task: () => Promise<T>): Promise<T>;
}

export function createTurns(atOnce: number, waitingMost: number): Turns {
  const waiting: (() => void)[] = [];
  let running = 0;
  return {
    async run(task) {
      if (running >= atOnce) {
        if (waiting.length >= waitingMost)
          throw new PortalError(
            'daemon-unreachable',
            'there is too much to do just now; try again in a moment',
          );
        await new Promise<void>((resolve) => waiting.push(resolve));
      } else running += 1;
      try {
        return await task();
      } finally {
        const next = waiting.shift();
        if (next === undefined) running -= 1;
        else next();
      }
    },
  };
}
