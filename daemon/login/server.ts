import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { messageOf, SallyportError } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Log } from '../log.ts';
import { type PeerCredentials, peerOf } from '../peer.ts';
import type { LoginFacts } from '../policy/contract.ts';
import type { Verifier } from '../verifier.ts';
import { encodeDaemonFrame, FrameReader, type HelloFrame } from './frames.ts';
import { type Effect, type Event, type State, step } from './session.ts';

/**
 * Carries frames between sockets and sessions, and does what the sessions say. Takes the peer's uid,
 * applies the limits.
 *
 * MUST hold:
 * - who is at the other end is asked once, before a byte is read; nobody known, nobody served;
 * - on pam.sock only uid 0 is served; on pam-user.sock a flood by one uid leaves the others alone;
 * - a connection over a limit hears SYSTEM_ERR: a close without a frame would look like a dead daemon;
 * - a login holds no more than one timer, and nothing of it is left when its socket is closed.
 */
export interface LoginServerOptions {
  readonly verifier: Verifier;
  readonly log: Log;
  /** HELLO and the peer -> facts; asks logind and the kernel what HELLO cannot say. */
  readonly factsOf: (hello: HelloFrame, peer: PeerCredentials, rootSocket: boolean) => Promise<LoginFacts>;
}

/** Where a socket comes from: a path of our own, or a listening descriptor of systemd's. */
export type Listen = { readonly path: string } | { readonly fd: number };

export interface LoginServer {
  listen(kind: 'root' | 'user', where: Listen): Promise<void>;
  /** Logins that are under way, for status. */
  open(): number;
  /** Stops listening, removes its sockets, and ends what is under way with SYSTEM_ERR. */
  close(): Promise<void>;
}

interface Door {
  readonly kind: 'root' | 'user';
  readonly server: Server;
  readonly perUid: Map<number, number>;
  connections: number;
}

/** Takes a place for a name as it was typed, account or not. */
type TakeName = (name: string) => (() => void) | undefined;

/** Node's default backlog of 511 refuses logins under a flood; the kernel caps it at somaxconn. */
const backlog = 4096;

export function createLoginServer(options: LoginServerOptions): LoginServer {
  const doors: Door[] = [];
  const logins = new Set<Conversation>();
  const names = new Map<string, number>();
  /** @returns how to give the place back; undefined: this name has no place left */
  const takeName: TakeName = (name) => {
    const taken = names.get(name) ?? 0;
    if (taken >= limits.loginsPerAccount) return undefined;
    names.set(name, taken + 1);
    return () => {
      const left = (names.get(name) ?? 1) - 1;
      if (left > 0) names.set(name, left);
      else names.delete(name);
    };
  };

  const refuse = (socket: Socket, why: string, uid: number): void => {
    options.log.warning('login-refused', { why, uid });
    socket.on('error', () => socket.destroy());
    socket.end(encodeDaemonFrame({ type: 'result', code: 'system-err', strip: 0 }));
    socket.setTimeout(limits.helloWait, () => socket.destroy());
    socket.resume();
  };

  const overLimit = (door: Door, uid: number): string | undefined => {
    if (door.kind === 'root') {
      if (uid !== 0) return 'pam.sock is for root alone';
      return door.connections > limits.rootConnections ? 'too many connections' : undefined;
    }
    if (door.connections > limits.userConnections) return 'too many connections of local users';
    const own = door.perUid.get(uid) ?? 0;
    return own > limits.userConnectionsPerUid ? 'too many connections of this uid' : undefined;
  };

  const accept = (door: Door, socket: Socket): void => {
    let peer: PeerCredentials;
    try {
      peer = peerOf(socket);
    } catch (error) {
      options.log.error('peer-unknown', { message: messageOf(error) });
      socket.destroy();
      return;
    }
    door.connections += 1;
    door.perUid.set(peer.uid, (door.perUid.get(peer.uid) ?? 0) + 1);
    socket.on('close', () => {
      door.connections -= 1;
      const left = (door.perUid.get(peer.uid) ?? 1) - 1;
      if (left > 0) door.perUid.set(peer.uid, left);
      else door.perUid.delete(peer.uid);
    });
    const why = overLimit(door, peer.uid);
    if (why !== undefined) {
      refuse(socket, why, peer.uid);
      return;
    }
    const login = new Conversation(socket, peer, door.kind === 'root', options, takeName);
    logins.add(login);
    socket.on('close', () => logins.delete(login));
  };

  return {
    async listen(kind, where) {
      const server = createServer();
      const door: Door = { kind, server, perUid: new Map(), connections: 0 };
      server.on('connection', (socket) => accept(door, socket));
      doors.push(door);
      if ('path' in where) removeStale(where.path);
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ ...where, backlog }, resolve);
      });
      if ('path' in where) chmodSync(where.path, 0o666);
    },
    open: () => logins.size,
    async close() {
      const closed = doors.map((door) => new Promise<void>((resolve) => door.server.close(() => resolve())));
      for (const login of logins) login.end();
      await Promise.all(closed);
    },
  };
}

/** A socket that a killed daemon left behind. Whoever comes here holds the store's lock, so nobody listens. */
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

/** One connection: the socket's side of a session. */
class Conversation {
  readonly #socket: Socket;
  readonly #peer: PeerCredentials;
  readonly #rootSocket: boolean;
  readonly #options: LoginServerOptions;
  readonly #reader = new FrameReader();
  readonly #takeName: TakeName;
  #state: State = { at: 'hello' };
  /** Monotonic milliseconds; undefined before HELLO. */
  #deadline: number;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer fires; it may be earlier than anything falls due, and never later. */
  #timerAt = Infinity;
  /** When a held refusal may leave. */
  #heldUntil: number | undefined;
  #nextWait: number | undefined;

  constructor(
    socket: Socket,
    peer: PeerCredentials,
    rootSocket: boolean,
    options: LoginServerOptions,
    takeName: TakeName,
  ) {
    this.#socket = socket;
    this.#peer = peer;
    this.#rootSocket = rootSocket;
    this.#options = options;
    this.#takeName = takeName;
    this.#deadline = performance.now() + limits.helloWait;
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.on('end', () => this.#happened({ kind: 'closed' }));
    socket.on('error', () => this.#happened({ kind: 'closed' }));
    socket.on('close', () => this.#happened({ kind: 'closed' }));
    this.#arm();
  }

  /** The daemon stops: whoever is at a prompt is to try again. */
  end(): void {
    this.#happened({ kind: 'failed' });
  }

  #received(chunk: Buffer): void {
    try {
      for (const frame of this.#reader.push(chunk)) this.#happened({ kind: 'frame', frame });
    } catch (error) {
      this.#options.log.warning('protocol-violation', { uid: this.#peer.uid, message: messageOf(error) });
      this.#happened({ kind: 'failed' });
    }
  }

  #happened(event: Event): void {
    const { state, effects } = step(this.#state, event);
    const working = state.at === 'opening' || state.at === 'judging' || state.at === 'holding';
    if (!working) this.#nextWait = undefined;
    else if (state !== this.#state) this.#nextWait = performance.now() + limits.firstWait;
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
    this.#arm();
  }

  #perform(effect: Effect): void {
    const { verifier } = this.#options;
    switch (effect.do) {
      case 'open':
        if (!this.#hasPlace(effect.hello.user)) {
          this.#decide(
            Promise.reject(new SallyportError('too-many-logins', 'too many logins of one name at a time')),
          );
          return;
        }
        this.#deadline = performance.now() + deadlineOf(effect.hello);
        this.#decide(
          this.#options
            .factsOf(effect.hello, this.#peer, this.#rootSocket)
            .then(async (facts): Promise<Event> => {
              return { kind: 'opened', opening: await verifier.open(facts) };
            }),
        );
        return;
      case 'judge':
        this.#decide(
          verifier
            .answer(effect.login, effect.answer)
            .then((verdict): Event => ({ kind: 'judged', verdict })),
        );
        return;
      case 'abandon':
        verifier.abandon(effect.login, effect.reason).catch((error: unknown) => this.#report(error));
        return;
      case 'send':
        if (!this.#socket.destroyed) this.#socket.write(encodeDaemonFrame(effect.frame));
        return;
      case 'hold':
        this.#heldUntil = performance.now() + effect.ms;
        return;
      case 'close':
        // What was written stays readable for the peer after the close.
        this.#socket.destroySoon();
        return;
    }
  }

  /** One account, or one name that is none, cannot use up the places of the others. */
  #hasPlace(name: string): boolean {
    const release = this.#takeName(name);
    if (release === undefined) return false;
    this.#socket.once('close', release);
    return true;
  }

  #decide(outcome: Promise<Event>): void {
    outcome.then(
      (event) => this.#happened(event),
      (error: unknown) => {
        this.#report(error);
        this.#happened({ kind: 'failed' });
      },
    );
  }

  #report(error: unknown): void {
    const code = error instanceof SallyportError ? error.code : 'internal';
    this.#options.log.error('login-error', { code, message: messageOf(error) });
  }

  /** One timer for all that can fall due. */
  #arm(): void {
    if (this.#state.at === 'over') {
      clearTimeout(this.#timer);
      return;
    }
    const due = Math.min(this.#deadline, this.#heldUntil ?? Infinity, this.#nextWait ?? Infinity);
    if (due >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = due;
    this.#timer = setTimeout(() => this.#due(), Math.max(0, due - performance.now()));
  }

  #due(): void {
    this.#timerAt = Infinity;
    const now = performance.now();
    if (now >= this.#deadline) {
      if (this.#state.at === 'hello') this.#socket.destroy();
      else this.#happened({ kind: 'deadline' });
      return;
    }
    if (this.#heldUntil !== undefined && now >= this.#heldUntil) {
      this.#heldUntil = undefined;
      this.#happened({ kind: 'held' });
      return;
    }
    if (this.#nextWait !== undefined && now >= this.#nextWait) {
      this.#nextWait = now + limits.waitInterval;
      if (!this.#socket.destroyed) this.#socket.write(encodeDaemonFrame({ type: 'wait' }));
    }
    this.#arm();
  }
}

function deadlineOf(hello: HelloFrame): number {
  const asked = Math.min(Math.max(hello.deadline, limits.shortestDeadline), limits.longestDeadline);
  return Math.max(asked - limits.deadlineMargin, limits.shortestDeadline / 2);
}
