import type { Duplex } from 'node:stream';
import { limits } from '../limits.ts';

export interface LingeringConnections {
  /** Sends the answer and hears the client out. */
  send(socket: Duplex, answer: string | Uint8Array): void;
  /** Ends those that are still heard out. */
  close(): void;
}

/**
 * Connections that receive an error and are closed.
 *
 * Invariants:
 * - the client can read why: what it is still writing is read, or the close would fail its write and
 *   cut the answer off;
 * - that costs a bounded number of descriptors for a bounded time; beyond it the close comes at once.
 *
 * @param most how many are heard out at a time
 */
export function createRefusals(most: number): LingeringConnections {
  const lingering = new Set<Duplex>();
  return {
    send(socket, answer) {
      if (lingering.has(socket)) return;
      socket.on('error', () => socket.destroy());
      if (!socket.writable) {
        socket.destroy();
        return;
      }
      if (lingering.size >= most) {
        socket.end(answer, () => socket.destroy());
        return;
      }
      const late = setTimeout(() => socket.destroy(), limits.refusedWait);
      lingering.add(socket);
      socket.on('close', () => {
        clearTimeout(late);
        lingering.delete(socket);
      });
      socket.end(answer);
      socket.resume();
    },
    close() {
      for (const socket of lingering) socket.destroy();
    },
  };
}
