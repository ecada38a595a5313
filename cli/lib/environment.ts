import { spawn } from 'node:child_process';
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

/** For a sallyportd that gives root up once it runs: no ring of io_uring may be open by then (CVE-2024-22017). */
export const disableIoUring = (): NodeJS.ProcessEnv => ({ ...process.env, UV_USE_IO_URING: '0' });

/**
 * Runs sallyportd for what needs no running daemon. It speaks to the terminal itself.
 * @returns its exit status; 1 when a signal ended it
 */
export function runDaemon(world: World, parameters: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [world.daemonMain, ...parameters], { stdio: 'inherit' });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
