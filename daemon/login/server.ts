import { chmodSync } from 'node:fs';
import type { Connection } from '../host/connection.ts';
import type { HostFacts } from '../host/contract.ts';
import { createRefusals } from '../host/lingering-close.ts';
import { type Listener, type ListenTarget, openListener } from '../host/listener.ts';
import { createSocketLink } from '../host/socket-link.ts';
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
function takePlace(listener: ListenerState, uid: number, connection: Connection): void {
  listener.connections += 1;
  listener.perUid.set(uid, (listener.perUid.get(uid) ?? 0) + 1);
  connection.on('close', () => {
    listener.connections -= 1;
    const left = (listener.perUid.get(uid) ?? 1) - 1;
    if (left > 0) listener.perUid.set(uid, left);
    else listener.perUid.delete(uid);
  });
}

export function createLoginServer(options: LoginServerOptions): LoginServer {
  const listeners: Listener[] = [];
  const logins = new Set<Conversation>();
  const refusals = createRefusals<Buffer>(limits.refusedLingering);
  const pools = poolsFor(options.descriptors ?? Infinity);
  const loginPools = createLoginPools(pools);
  const refused = createLogAggregator(options.log, 'connections-refused', limits.unknownNamesInterval);
  const refuse = (connection: Connection, why: string): void => {
    // One line now and then: a flood must not become a flood of log lines.
    refused.add(`uid ${connection.peerUid}: ${why}`);
    refusals.send(connection, encodeDaemonFrame({ type: 'result', code: 'system-err', strip: 0 }));
  };

  const accept = (listener: ListenerState, connection: Connection): void => {
    const { peerUid } = connection;
    const why = overLimit(listener, peerUid, pools.user);
    if (why !== undefined) {
      refuse(connection, why);
      return;
    }
    // Only an accepted connection takes a slot: a refused one takes none from others.
    takePlace(listener, peerUid, connection);
    // On pam-user.sock a uid can only log itself in, and has slots by its uid.
    const place = listener.kind === 'root' ? loginPools.connect(() => login.evict()) : undefined;
    const admit: Admit = (hello) => place?.admit(hello) ?? { admitted: true };
    const origin = { host: options.host, socket: listener.kind, peerUid };
    const login = new Conversation(createSocketLink(connection, origin), options, admit);
    logins.add(login);
    connection.on('close', () => {
      logins.delete(login);
      place?.leave();
    });
  };

  return {
    async listen(kind, where) {
      const state: ListenerState = { kind, perUid: new Map(), connections: 0 };
      const listener = openListener(where, {
        connected: (connection) => accept(state, connection),
        failed: (message) => options.log.error('accept-failed', { listener: kind, message }),
        unidentified: (message) => options.log.error('peer-unknown', { message }),
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
