import type { World } from './environment.ts';
import { printable } from './text.ts';

/** Progress of a long operation: one line on standard error, only on a terminal. */
export interface Progress {
  show(text: string): void;
  /** Clears the line; call before other output. */
  clear(): void;
}

/** Milliseconds between updates. */
const interval = 100;

export function createProgress(world: World): Progress {
  const draws = world.error.isTTY === true && world.environment.TERM !== 'dumb';
  let shownAt = 0;
  let isShown = false;
  return {
    show(text) {
      const now = performance.now();
      if (!draws || now - shownAt < interval) return;
      shownAt = now;
      isShown = true;
      world.error.write(`\r\x1b[K${printable(text)}`);
    },
    clear() {
      if (!isShown) return;
      isShown = false;
      world.error.write('\r\x1b[K');
    },
  };
}
