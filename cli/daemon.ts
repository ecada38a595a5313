import { spawn } from 'node:child_process';
import type { World } from './world.ts';

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
