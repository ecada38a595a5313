import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ServerContext } from './context.ts';
import type { LiveMessage } from './contract.ts';
import { PortalError } from './http/errors.ts';
import { limits } from './limits.ts';
import { createFeed, type Feed } from './live-feed.ts';
import type { Session, SessionEnd } from './sessions.ts';

/** The WebSocket /api/live. */
export interface Live {
  /** @throws PortalError too-many-connections */
  demandRoom(session: Session): void;
  /** For a request whose origin and session are verified. */
  open(request: IncomingMessage, socket: Duplex, head: Buffer, session: Session): void;
  count(): number;
  close(): void;
}

/** From the private range of RFC 6455, 7.4.2. */
const closings = { ended: 4_001, renewed: 4_002, tooSlow: 4_003, refused: 1_008, goingDown: 1_001 } as const;

/** The open pages of one session. */
interface Audience {
  readonly session: Session;
  readonly feed: Feed;
  readonly sockets: Set<WebSocket>;
}

/**
 * Invariants:
 * - a socket ends with its session;
 * - a page that sends too much or anything unexpected, reads nothing, or has gone uses bounded memory for a bounded
 *   time; nothing is decompressed.
 */
export function createLive(context: ServerContext): Live {
  return new LivePages(context);
}

class LivePages implements Live {
  readonly #context: ServerContext;
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: limits.liveMessage,
    perMessageDeflate: false,
    clientTracking: false,
  });
  readonly #audiences = new Map<Session, Audience>();
  /** Sockets that have answered since the last ping. */
  readonly #alive = new WeakSet<WebSocket>();
  readonly #pinging: NodeJS.Timeout;
  #count = 0;

  constructor(context: ServerContext) {
    this.#context = context;
    this.#pinging = setInterval(() => this.#ping(), limits.livePing);
    this.#pinging.unref();
  }

  demandRoom(session: Session): void {
    const own = this.#audiences.get(session)?.sockets.size ?? 0;
    if (own < limits.liveSocketsPerSession && this.#count < limits.liveSockets) return;
    throw new PortalError('too-many-connections', 'too many open pages; close some of them');
  }

  open(request: IncomingMessage, socket: Duplex, head: Buffer, session: Session): void {
    this.#server.handleUpgrade(request, socket, head, (opened) => this.#begin(opened, session));
  }

  count(): number {
    return this.#count;
  }

  close(): void {
    clearInterval(this.#pinging);
    for (const audience of [...this.#audiences.values()]) {
      this.#dismiss(audience);
      for (const socket of audience.sockets) closeWithin(socket, closings.goingDown);
    }
  }

  #begin(socket: WebSocket, session: Session): void {
    // The session may have ended during the handshake.
    if (this.#context.sessions.isOver(session)) {
      socket.close(closings.ended);
      return;
    }
    const audience = this.#audienceOf(session);
    audience.sockets.add(socket);
    this.#count += 1;
    this.#alive.add(socket);
    const listener = { tell: (message: LiveMessage) => tell(socket, message) };
    socket.on('error', () => socket.terminate());
    socket.on('pong', () => this.#alive.add(socket));
    onFollowAudit(socket, () => audience.feed.followAudit(listener));
    socket.once('close', () => {
      this.#count -= 1;
      audience.sockets.delete(socket);
      audience.feed.leave(listener);
      if (audience.sockets.size === 0) this.#dismiss(audience);
    });
    audience.feed.join(listener);
  }

  #audienceOf(session: Session): Audience {
    const known = this.#audiences.get(session);
    if (known !== undefined) return known;
    const audience: Audience = { session, feed: createFeed(this.#context, session), sockets: new Set() };
    this.#audiences.set(session, audience);
    this.#context.sessions.onEnd(session, (why) => {
      this.#dismiss(audience);
      for (const socket of [...audience.sockets]) endWithSession(socket, why);
    });
    return audience;
  }

  #dismiss(audience: Audience): void {
    audience.feed.close();
    if (this.#audiences.get(audience.session) === audience) this.#audiences.delete(audience.session);
  }

  #ping(): void {
    for (const { sockets } of this.#audiences.values())
      for (const socket of sockets) {
        if (!this.#alive.delete(socket)) socket.terminate();
        else socket.ping();
      }
  }
}

/** The only message that a page may send, and only a few times. */
function onFollowAudit(socket: WebSocket, follow: () => void): void {
  let messages = 0;
  socket.on('message', (data, isBinary) => {
    messages += 1;
    if (messages <= limits.liveMessages && !isBinary && isFollowAudit(String(data))) follow();
    else socket.close(closings.refused);
  });
}

function endWithSession(socket: WebSocket, why: SessionEnd): void {
  if (why === 'stopping') closeWithin(socket, closings.goingDown);
  else if (why === 'renewed') closeWithin(socket, closings.renewed);
  else {
    tell(socket, { kind: 'signed-out' });
    closeWithin(socket, closings.ended);
  }
}

/** A client that does not answer the close is cut off. */
function closeWithin(socket: WebSocket, code: number): void {
  socket.close(code);
  setTimeout(() => socket.terminate(), limits.refusedWait).unref();
}

function tell(socket: WebSocket, message: LiveMessage): void {
  if (socket.readyState !== socket.OPEN) return;
  if (socket.bufferedAmount > limits.liveUnread) {
    closeWithin(socket, closings.tooSlow);
    return;
  }
  socket.send(JSON.stringify(message));
}

function isFollowAudit(text: string): boolean {
  try {
    const message: unknown = JSON.parse(text);
    return (
      typeof message === 'object' && message !== null && 'kind' in message && message.kind === 'follow-audit'
    );
  } catch {
    return false;
  }
}
