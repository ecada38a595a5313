import type { Socket } from 'node:net';
import { messageOf, SallyportError } from '../lib/errors.ts';
import { loadAddon, type PeerCredentials } from './addon.ts';

export type { PeerCredentials } from './addon.ts';

/** Node keeps the descriptor here on Linux and has no public way to it. */
interface WithHandle {
  readonly _handle?: { readonly fd?: unknown } | null;
}

/**
 * Who is at the other end of a Unix socket. To be called once, at once when the connection comes in: a socket
 * that is closed has no descriptor any more.
 *
 * Invariants: an unidentified peer is rejected. No socket but a connected Unix socket has a peer, so a server that
 * listens on TCP by mistake trusts no peer.
 */
export function peerOf(socket: Socket): PeerCredentials {
  const descriptor = (socket as unknown as WithHandle)._handle?.fd;
  if (typeof descriptor !== 'number' || descriptor < 0) {
    throw new SallyportError('peer-unknown', 'the peer of a connection is unknown: it is closed already');
  }
  try {
    return loadAddon().peerCredentials(descriptor);
  } catch (error) {
    throw new SallyportError('peer-unknown', `the peer of a connection is unknown: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
