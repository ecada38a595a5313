import { chmodSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { HostFacts } from '../host/contract.ts';
import { createRefusals } from '../host/lingering-close.ts';
import { type Listener, type ListenTarget, openListener } from '../host/listener.ts';
import { type PeerCredentials, peerOf } from '../host/peer-credentials.ts';
import { createSocketLink } from '../host/socket-link.ts';
import { messageOf } from '../lib/errors.ts';
import { createLogAggregator } from '../lib/log-aggregator.ts';
import { limits } from '../limits.ts';
import { encodeDaemonFrame } from '../protocol/login.ts';
import { type Admit, Conversation, type ConversationOptions } from './conversation.ts';
import { createLoginPools, poolsFor } from './login-pools.ts';

/**
 * Carries frames between sockets and sessions, and carries out the effects of the sessions. Reads the peer's uid
 * and applies the limits.
 *
 * Invariants:
 * - peer credentials are read once, before a byte is read; a connection without them is dropped;
 * - on pam.sock only uid 0 is served, and an unverified login takes no slot of the verified ones; on pam-user.sock
 *   a flood by one uid does not affect other uids;
 * - a connection over a limit gets SYSTEM_ERR: a close without a frame would look like a dead daemon;
 * - a login holds at most one timer, and no resource remains when its socket is closed.
 */
export interface LoginServerOptions extends ConversationOptions {
  /** The machine that its sockets belong to. */
  readonly host: HostFacts;
  /** The limit of open descriptors of the process (RLIMIT_NOFILE). */
  readonly descriptors?: number;
}

export interface LoginServer {
  listen(kind: 'root' | 'user', where: ListenTarget): Promise<void>;
  /** The number of logins in progress, for status. */
  open(): number;
  /**
   * Stops listening and removes its own sockets; a socket of a service manager queues new connections. Decided
   * results are sent; all other logins get a message and SYSTEM_ERR, to try again.
   */
  close(): Promise<void>;
}

interface ListenerState {
  readonly kind: 'root' | 'user';
  readonly perUid: Map<number, number>;
  connections: number;
}

/** @returns undefined if the peer credentials cannot be read; the connection is then closed */
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
function overLimit(listener: ListenerState, uid: number, most: number): string | undefined {
  if (listener.kind === 'root') {
    return uid === 0 ? undefined : 'only root may use pam.sock';
  }
  if (listener.connections >= most) return 'too many connections of local users';
  const own = listener.perUid.get(uid) ?? 0;
  return own >= limits.userConnectionsPerUid ? 'too many connections of this uid' : undefined;
}

/** Counts the connection until it is closed. */
function takePlace(listener: ListenerState, uid: number, socket: Socket): void {
  listener.connections += 1;
  listener.perUid.set(uid, (listener.perUid.get(uid) ?? 0) + 1);
  socket.on('close', () => {
    listener.connections -= 1;
    const left = (listener.perUid.get(uid) ?? 1) - 1;
    if (left > 0) listener.perUid.set(uid, left);
    else listener.perUid.delete(uid);
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
    // One line now and then: a flood must not become a flood of log lines.
    refused.add(`uid ${uid}: ${why}`);
    refusals.send(socket, encodeDaemonFrame({ type: 'result', code: 'system-err', strip: 0 }));
  };

  const accept = (listener: ListenerState, socket: Socket): void => {
    const peer = knownPeer(socket, options.log);
    if (peer === undefined) return;
    const why = overLimit(listener, peer.uid, pools.user);
    if (why !== undefined) {
      refuse(socket, why, peer.uid);
      return;
    }
    // Only an accepted connection takes a slot: a refused one takes none from others.
    takePlace(listener, peer.uid, socket);
    // On pam-user.sock a uid can only log itself in, and has slots by its uid.
    const place = listener.kind === 'root' ? loginPools.connect(() => login.evict()) : undefined;
    const admit: Admit = (hello) => place?.admit(hello) ?? { admitted: true };
    const origin = { host: options.host, socket: listener.kind, peerUid: peer.uid };
    const login = new Conversation(createSocketLink(socket, origin), options, admit);
    logins.add(login);
    socket.on('close', () => {
      logins.delete(login);
      place?.leave();
    });
  };

  return {
    async listen(kind, where) {
      const state: ListenerState = { kind, perUid: new Map(), connections: 0 };
      const listener = await openListener(where, {
        connected: (socket) => accept(state, socket),
        failed: (message) => options.log.error('accept-failed', { listener: kind, message }),
      });
      listeners.push(listener);
      // Root passes every mode; another user could fill the backlog, which root would see as a dead daemon.
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
