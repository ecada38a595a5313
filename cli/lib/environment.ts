import type { Readable, Writable } from 'node:stream';

/** What a command meets outside: passed in, so that a test can be the terminal. */
export interface World {
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly output: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly error: Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** sallyportd's entry, for what needs no running daemon. */
  readonly daemonMain: string;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** ^C, once, while no question is open. */
  readonly onInterrupt: (listener: () => void) => void;
}
