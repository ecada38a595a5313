import { lstatSync, unlinkSync } from 'node:fs';
import { SallyportError } from '../lib/errors.ts';

/**
 * Removes a socket that a killed daemon left behind. Whoever comes here holds the store's lock, so nobody
 * listens on it.
 * @throws SallyportError `socket-path`: what lies there is no socket
 */
export function removeStale(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket())
    throw new SallyportError(
      'socket-path',
      `${path} exists and is no socket; move it away or set another path`,
    );
  unlinkSync(path);
}
