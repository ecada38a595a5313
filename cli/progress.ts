import type { World } from './world.ts';

export interface Progress {
  /** @param text replaces the line that was there */
  show(text: string): void;
  end(): void;
}

/** Long work, on a terminal; nowhere else. A few times a second, whatever is told. */
export function createProgress({ error, now }: World): Progress {
  if (error.isTTY !== true) return { show: () => undefined, end: () => undefined };
  let shown = 0;
  let drawn = false;
  return {
    show(text) {
      if (now() - shown < 200) return;
      shown = now();
      drawn = true;
      error.write(`\r\x1b[K${text}`);
    },
    end() {
      if (drawn) error.write('\r\x1b[K');
      drawn = false;
    },
  };
}
