import { limits } from '../limits.ts';

/** What a stream and a connection of the addon's have in common. */
export interface Refusable<Answer> {
  readonly writable: boolean;
  /** Sends the answer, and that it was the last. */
  end(answer: Answer, then?: () => void): unknown;
  /** What is still read is dropped. */
  resume?(): unknown;
  destroy(): unknown;
  on(event: 'close' | 'error', listener: () => void): unknown;
}

export interface LingeringConnections<Answer> {
  /** Sends the answer and hears the client out. */
  send(socket: Refusable<Answer>, answer: Answer): void;
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
export function createRefusals<Answer>(most: number): LingeringConnections<Answer> {
  const lingering = new Set<Refusable<Answer>>();
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
      socket.resume?.();
    },
    close() {
      for (const socket of lingering) socket.destroy();
    },
  };
}
