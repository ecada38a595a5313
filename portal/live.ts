import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ServerContext } from './context.ts';
import type { LiveMessage } from './contract.ts';
import { PortalError } from './http/errors.ts';
import { limits } from './limits.ts';
import { createFeed, type Feed } from './live-feed.ts';
import type { Session } from './sessions.ts';

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

interface Audience {
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
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: limits.liveMessage,
    perMessageDeflate: false,
    clientTracking: false,
  });
  const audiences = new Map<Session, Audience>();
  const alive = new WeakSet<WebSocket>();
  let count = 0;

  const audienceOf = (session: Session): Audience => {
    const known = audiences.get(session);
    if (known !== undefined) return known;
    const audience: Audience = { feed: createFeed(context, session), sockets: new Set() };
    audiences.set(session, audience);
    context.sessions.onEnd(session, (why) => {
      dismiss(session, audience);
      for (const socket of [...audience.sockets]) {
        if (why === 'stopping') socket.close(closings.goingDown);
        else if (why === 'renewed') socket.close(closings.renewed);
        else {
          tell(socket, { kind: 'signed-out' });
          socket.close(closings.ended);
        }
        // A client that does not answer the close is cut off.
        setTimeout(() => socket.terminate(), limits.refusedWait).unref();
      }
    });
    return audience;
  };
  const dismiss = (session: Session, audience: Audience): void => {
    audience.feed.close();
    if (audiences.get(session) === audience) audiences.delete(session);
  };

  const begin = (socket: WebSocket, session: Session): void => {
    // The session may have ended during the handshake.
    if (context.sessions.isOver(session)) {
      socket.close(closings.ended);
      return;
    }
    const audience = audienceOf(session);
    audience.sockets.add(socket);
    count += 1;
    alive.add(socket);
    const listener = { tell: (message: LiveMessage) => tell(socket, message) };
    let messages = 0;
    socket.on('error', () => socket.terminate());
    socket.on('pong', () => alive.add(socket));
    socket.on('message', (data, isBinary) => {
      messages += 1;
      if (messages <= limits.liveMessages && !isBinary && isFollowAudit(String(data)))
        audience.feed.followAudit(listener);
      else socket.close(closings.refused);
    });
    socket.once('close', () => {
      count -= 1;
      audience.sockets.delete(socket);
      audience.feed.leave(listener);
      if (audience.sockets.size === 0) dismiss(session, audience);
    });
    audience.feed.join(listener);
  };

  const pinging = setInterval(() => {
    for (const { sockets } of audiences.values())
      for (const socket of sockets) {
        if (!alive.delete(socket)) socket.terminate();
        else socket.ping();
      }
  }, limits.livePing);
  pinging.unref();

  return {
    demandRoom(session) {
      const own = audiences.get(session)?.sockets.size ?? 0;
      if (own < limits.liveSocketsPerSession && count < limits.liveSockets) return;
      throw new PortalError('too-many-connections', 'too many open pages; close some of them');
    },
    open(request, socket, head, session) {
      server.handleUpgrade(request, socket, head, (opened) => begin(opened, session));
    },
    count: () => count,
    close() {
      clearInterval(pinging);
      for (const [session, audience] of [...audiences]) {
        dismiss(session, audience);
        for (const socket of audience.sockets) {
          socket.close(closings.goingDown);
          setTimeout(() => socket.terminate(), limits.refusedWait).unref();
        }
      }
    },
  };
}

function tell(socket: WebSocket, message: LiveMessage): void {
  if (socket.readyState !== socket.OPEN) return;
  if (socket.bufferedAmount > limits.liveUnread) {
    socket.close(closings.tooSlow);
    setTimeout(() => socket.terminate(), limits.refusedWait).unref();
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
