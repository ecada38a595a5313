import { lstatSync, rmSync, unlinkSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { SallyportError } from '../lib/errors.ts';
import { limits } from '../limits.ts';
import { type Addon, connectionEvents, loadAddon, type NativeConnections, readiness } from './addon.ts';
import { Connection } from './connection.ts';

/** Where a socket comes from: a path of our own, or a listening descriptor of systemd's. */
export type ListenTarget = { readonly path: string } | { readonly fd: number };

/** A listening socket. */
export interface Listener {
  /** Takes no more connections. Resolves when those that were taken are closed. */
  close(): Promise<void>;
}

export interface ListenerEvents {
  /** Nothing has been read yet. */
  connected(connection: Connection): void;
  /** Connections cannot be taken; it goes on by itself. */
  failed(message: string): void;
  /** A connection was dropped, because the kernel does not say who is at the other end. */
  unidentified(message: string): void;
}

/** Node's default backlog of 511 refuses logins under a flood; the kernel caps it at somaxconn. */
const backlog = 4096;

/**
 * Makes a socket of our own listen, or takes connections from one that listens already.
 *
 * Invariant: only the creator of the socket calls listen(2), because the kernel takes the last caller for the server,
 * and so does the PAM module, which accepts only root there. `net.Server` would call it again.
 */
export function openListener(where: ListenTarget, events: ListenerEvents): Listener {
  const addon = loadAddon();
  if ('fd' in where) return new NativeListener(addon, where.fd, events, () => undefined);
  removeStale(where.path);
  const remove = () => rmSync(where.path, { force: true });
  return new NativeListener(addon, addon.listenAt(where.path, backlog), events, remove);
}

class NativeListener implements Listener {
  readonly #open = new Map<number, Connection>();
  readonly #events: ListenerEvents;
  readonly #remove: () => void;
  readonly #native: NativeConnections;
  #pause: NodeJS.Timeout | undefined;

  constructor(
    addon: Pick<Addon, 'Connections'>,
    descriptor: number,
    events: ListenerEvents,
    remove: () => void,
  ) {
    this.#events = events;
    this.#remove = remove;
    this.#native = new addon.Connections(descriptor, (event, connection, value) =>
      this.#happened(event, connection, value),
    );
  }

  async close(): Promise<void> {
    this.#native.stop();
    clearTimeout(this.#pause);
    this.#remove();
    const open = [...this.#open.values()];
    await Promise.all(
      open.map((connection) => new Promise<void>((resolve) => connection.on('close', resolve))),
    );
  }

  #happened(event: number, descriptor: number, value: number): void {
    if (event === connectionEvents.ready) this.#open.get(descriptor)?.ready(value);
    else if (event === connectionEvents.accepted) this.#accepted(descriptor, value);
    else if (event === connectionEvents.unidentified) this.#events.unidentified(getSystemErrorName(-value));
    else this.#failed(value);
  }

  #accepted(descriptor: number, uid: number): void {
    const connection = new Connection(this.#native, descriptor, uid, () => this.#open.delete(descriptor));
    this.#open.set(descriptor, connection);
    this.#events.connected(connection);
    // The first frame has come with the connection, as a rule.
    connection.ready(readiness.readable);
  }

  #failed(errno: number): void {
    this.#events.failed(`accept: ${getSystemErrorName(-errno)}`);
    this.#pause = setTimeout(() => this.#native.resume(), limits.acceptPause);
  }
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
