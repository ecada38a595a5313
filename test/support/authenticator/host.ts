import { writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { Host } from './ctaphid.ts';

/** What a net.Socket keeps inside: Node has no other way to its file descriptor. */
interface WithHandle {
  readonly _handle?: { readonly fd?: unknown } | null;
}

/**
 * Writes to a host without its stream. A host that says CANCEL and hangs up may be written to before that CANCEL is
 * read: a stream would be destroyed by the failed write, and the CANCEL with it.
 */
export function hostOf(socket: Socket): Host {
  let last = Promise.resolve();
  return (bytes) => {
    last = last.then(() => write(socket, bytes));
    return last;
  };
}

async function write(socket: Socket, bytes: Buffer): Promise<void> {
  let rest = bytes;
  while (rest.length > 0) {
    const descriptor = (socket as unknown as WithHandle)._handle?.fd;
    // It was closed on this side.
    if (typeof descriptor !== 'number' || descriptor < 0) return;
    try {
      rest = rest.subarray(writeSync(descriptor, rest));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE' || code === 'ECONNRESET') return;
      if (code !== 'EAGAIN') throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
