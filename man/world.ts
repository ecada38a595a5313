import type { World } from '../cli/lib/environment.ts';

/** Nobody's: the tree of commands is looked at, and none of them runs. */
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
