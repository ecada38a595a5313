import type { World } from './environment.ts';
import { printable } from './text.ts';

/** How far something long has come: one line on a terminal's standard error, and nothing anywhere else. */
export interface Progress {
  show(text: string): void;
  /** Takes the line away; before anything else is printed. */
  clear(): void;
}

/** Often enough to be seen to move. */
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
