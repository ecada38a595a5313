import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

/** Terminal, environment and clock of a command, passed in so that tests can replace them. */
export interface World {
  readonly input: Readable & { readonly isTTY?: boolean };
  readonly output: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly error: Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Entry point of sallyportd, for commands that need no running daemon. */
  readonly daemonMain: string;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Calls the listener once on ^C while no prompt is open. */
  readonly onInterrupt: (listener: () => void) => void;
}

/** For a sallyportd that drops root: no io_uring may be open by then (CVE-2024-22017). */
export const disableIoUring = (): NodeJS.ProcessEnv => ({ ...process.env, UV_USE_IO_URING: '0' });

/**
 * Runs sallyportd for tasks that need no running daemon. It uses the terminal directly.
 * @param output ignore: the command itself reports what standard output would say
 * @returns its exit status; 1 if a signal ended it
 */
export function runDaemon(
  world: World,
  parameters: readonly string[],
  output: 'inherit' | 'ignore' = 'inherit',
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [world.daemonMain, ...parameters], {
      stdio: ['inherit', output, 'inherit'],
    });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
