import { spawn } from 'node:child_process';
import type { World } from './environment.ts';

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
