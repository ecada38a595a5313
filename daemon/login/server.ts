import { chmodSync } from 'node:fs';
import type { Socket } from 'node:net';
import { createRefusals } from '../host/lingering-close.ts';
import { type Listener, type ListenTarget, openListener } from '../host/listener.ts';
import { type PeerCredentials, peerOf } from '../host/peer-credentials.ts';
import { messageOf } from '../lib/errors.ts';
import { createLogAggregator } from '../lib/log-aggregator.ts';
import { limits } from '../limits.ts';
import { encodeDaemonFrame } from '../protocol/login.ts';
import { type Admit, Conversation, type ConversationOptions } from './conversation.ts';
import { createLoginPools, poolsFor } from './login-pools.ts';

/**
 * Carries frames between sockets and sessions, and does what the sessions say. Takes the peer's uid,
 * applies the limits.
 *
 * MUST hold:
 * - who is at the other end is asked once, before a byte is read; nobody known, nobody served;
 * - on pam.sock only uid 0 is served, and whoever has verified no factor takes no place of those who have; on
 *   pam-user.sock a flood by one uid leaves the others alone;
 * - a connection over a limit hears SYSTEM_ERR: a close without a frame would look like a dead daemon;
 * - a login holds no more than one timer, and nothing of it is left when its socket is closed.
 */
export interface LoginServerOptions extends ConversationOptions {
  /** How many descriptors the process may have (RLIMIT_NOFILE). */
  readonly descriptors?: number;
}

export interface LoginServer {
  listen(kind: 'root' | 'user', where: ListenTarget): Promise<void>;
  /** Logins that are under way, for status. */
  open(): number;
  /**
   * Stops listening and removes its own sockets; a socket of a service manager's queues those who come. What is
   * decided goes out, and all others hear in words and as SYSTEM_ERR that they must try again.
   */
  close(): Promise<void>;
}

interface Door {
  readonly kind: 'root' | 'user';
  readonly perUid: Map<number, number>;
  connections: number;
}

/** @returns undefined: it cannot be told, and the connection is over */
function knownPeer(socket: Socket, log: LoginServerOptions['log']): PeerCredentials | undefined {
  try {
    return peerOf(socket);
  } catch (error) {
    log.error('peer-unknown', { message: messageOf(error) });
    socket.destroy();
    return undefined;
  }
}

/** @param most connections of all local users. @returns why it is refused */
function overLimit(door: Door, uid: number, most: number): string | undefined {
  if (door.kind === 'root') {
    return uid === 0 ? undefined : 'pam.sock is for root alone';
  }
  if (door.connections >= most) return 'too many connections of local users';
  const own = door.perUid.get(uid) ?? 0;
  return own >= limits.userConnectionsPerUid ? 'too many connections of this uid' : undefined;
}

/** Counts the connection until it is closed. */
function takePlace(door: Door, uid: number, socket: Socket): void {
  door.connections += 1;
  door.perUid.set(uid, (door.perUid.get(uid) ?? 0) + 1);
  socket.on('close', () => {
    door.connections -= 1;
    const left = (door.perUid.get(uid) ?? 1) - 1;
    if (left > 0) door.perUid.set(uid, left);
    else door.perUid.delete(uid);
  });
}

export function createLoginServer(options: LoginServerOptions): LoginServer {
  const listeners: Listener[] = [];
  const logins = new Set<Conversation>();
  const refusals = createRefusals(limits.refusedLingering);
  const pools = poolsFor(options.descriptors ?? Infinity);
  const loginPools = createLoginPools(pools);
  const refused = createLogAggregator(options.log, 'connections-refused', limits.unknownNamesInterval);
  const refuse = (socket: Socket, why: string, uid: number): void => {
    // One line now and then: a flood must not become one of the log.
    refused.add(`uid ${uid}: ${why}`);
    refusals.send(socket, encodeDaemonFrame({ type: 'result', code: 'system-err', strip: 0 }));
  };

  const accept = (door: Door, socket: Socket): void => {
    const peer = knownPeer(socket, options.log);
    if (peer === undefined) return;
    const why = overLimit(door, peer.uid, pools.user);
    if (why !== undefined) {
      refuse(socket, why, peer.uid);
      return;
    }
    // Only who is served has a place: whoever is refused takes none from the others.
    takePlace(door, peer.uid, socket);
    const isRoot = door.kind === 'root';
    // On pam-user.sock a uid can log in itself alone, and has places by its uid.
    const place = isRoot ? loginPools.connect(() => login.evict()) : undefined;
    const admit: Admit = (hello) => place?.admit(hello) ?? { admitted: true };
    const login = new Conversation(socket, peer, isRoot, options, admit);
    logins.add(login);
    socket.on('close', () => {
      logins.delete(login);
      place?.leave();
    });
  };

  return {
    async listen(kind, where) {
      const door: Door = { kind, perUid: new Map(), connections: 0 };
      const listener = await openListener(where, {
        connected: (socket) => accept(door, socket),
        failed: (message) => options.log.error('accept-failed', { door: kind, message }),
      });
      listeners.push(listener);
      // Root passes every mode; anybody else could fill the backlog, and so look like a dead daemon to root.
      if ('path' in where) chmodSync(where.path, kind === 'root' ? 0o600 : 0o666);
    },
    open: () => logins.size,
    async close() {
      const closed = listeners.map((listener) => listener.close());
      const ended = [...logins].map((login) => login.stop(limits.stopWait));
      refusals.close();
      await Promise.all([...closed, ...ended]);
      refused.flush();
    },
  };
}
