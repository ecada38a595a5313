import { lstatSync, unlinkSync } from 'node:fs';
import { createServer, Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import { SallyportError } from '../lib/errors.ts';
import { limits } from '../limits.ts';
import { type Addon, loadAddon } from './addon.ts';

/** Where a socket comes from: a path of our own, or a listening descriptor of systemd's. */
export type ListenTarget = { readonly path: string } | { readonly fd: number };

/** A listening socket. */
export interface Listener {
  /** Takes no more connections. Resolves when those that were taken are closed. */
  close(): Promise<void>;
}

export interface ListenerEvents {
  connected(socket: Socket): void;
  /** Connections cannot be taken; it goes on by itself. */
  failed(message: string): void;
}

/** Node's default backlog of 511 refuses logins under a flood; the kernel caps it at somaxconn. */
const backlog = 4096;

/** Makes a socket of our own listen, or takes connections from one that listens already. */
export async function openListener(where: ListenTarget, events: ListenerEvents): Promise<Listener> {
  return 'fd' in where ? openActivated(where.fd, events, loadAddon()) : openOwn(where.path, events);
}

async function openOwn(path: string, events: ListenerEvents): Promise<Listener> {
  const server = createServer((socket) => events.connected(socket));
  removeStale(path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path, backlog }, () => {
      server.off('error', reject);
      server.on('error', (error) => events.failed(error.message));
      resolve();
    });
  });
  return { close: () => new Promise<void>((resolve) => server.close(() => resolve())) };
}

/**
 * Invariant: only the creator of the socket calls listen(2), because the kernel takes the last caller for the server,
 * and so does the PAM module, which accepts only root there. `net.Server` would call it again.
 */
function openActivated(fd: number, events: ListenerEvents, addon: Pick<Addon, 'acceptFrom'>): Listener {
  const open = new Set<Socket>();
  const acceptor = addon.acceptFrom(fd, (connection, errno) => {
    if (errno !== 0) {
      events.failed(`accept: ${getSystemErrorName(-errno)}`);
      setTimeout(() => acceptor.resume(), limits.acceptPause);
      return;
    }
    const socket = new Socket({ fd: connection, readable: true, writable: true });
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    events.connected(socket);
  });
  return {
    async close() {
      acceptor.close();
      await Promise.all(
        [...open].map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()))),
      );
    },
  };
}

/**
 * Removes a socket that a killed daemon left behind. The caller holds the store's lock, so no process listens on it.
 * @throws SallyportError `socket-path`: what lies there is no socket
 */
export function removeStale(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket())
    throw new SallyportError(
      'socket-path',
      `${path} exists and is not a socket; move it or set another path`,
    );
  unlinkSync(path);
}
