import type { World } from '../cli/lib/environment.ts';

/** Inert: the tree of commands is read, and no command runs. */
export function nowhere(version: string): World {
  return {
    input: process.stdin,
    output: process.stdout,
    error: process.stderr,
    environment: {},
    daemonMain: '',
    version,
    now: () => 0,
    onInterrupt: () => undefined,
  };
}
