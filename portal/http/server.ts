import {
  createServer as createHttp,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttps, type Server as HttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContextOptions } from 'node:tls';
import type { Log } from '../../daemon/lib/log.ts';
import { networkKey } from '../../daemon/lib/network-key.ts';
import { serveApi, sessionOf } from '../api.ts';
import type { ServerContext, Visit } from '../context.ts';
import { limits as usual } from '../limits.ts';
import { createLive, type Live } from '../live.ts';
import { kindOf, servePages } from '../pages.ts';
import { type Addresses, canonical } from './address.ts';
import type { Assets } from './assets.ts';
import { type ConnectionLimit, createConnectionLimit } from './connection-limit.ts';
import { messageOf, PortalError, signedOut, toPortalError } from './errors.ts';
import { securityHeaders } from './headers.ts';
import { malformed, refuse } from './refusal.ts';
import { isBodiless, sendError, sendText } from './response.ts';

type LimitName =
  | 'headWait'
  | 'requestWait'
  | 'keepAlive'
  | 'socketIdle'
  | 'bodyWait'
  | 'checkInterval'
  | 'connections'
  | 'connectionsPerAddress'
  | 'connectionsPerAccount';

export interface PortalServerOptions {
  readonly context: ServerContext;
  readonly addresses: Addresses;
  readonly assets: () => Assets | undefined;
  /** Undefined: plain HTTP. */
  readonly tls?: SecureContextOptions;
  readonly limits?: { readonly [Name in LimitName]?: number };
}

export interface PortalServer {
  listen(
    where: { readonly host: string; readonly port: number } | { readonly fd: number },
  ): Promise<AddressInfo>;
  /** For new connections. */
  setCertificate(pair: SecureContextOptions): void;
  connections(): number;
  pages(): number;
  /** Stops listening and ends open connections. */
  close(): Promise<void>;
}

/**
 * The web server.
 *
 * Invariants: every response carries the headers of headers.ts; nothing is read, looked up or served before the
 * request's host is matched with one of our origins; the log has only a request's method, the pattern of its route and
 * its source.
 */
export function createPortalServer(options: PortalServerOptions): PortalServer {
  const { context, addresses } = options;
  const limit = { ...usual, ...options.limits };
  const connections = createConnectionLimit(limit, context.clock.monotonic);
  const live = createLive(context);
  const { server, secure } = socketServer(options.tls, limit);
  const serving = { ...options, addresses, limit, connections, live, secured: secure !== undefined };
  server.on('connection', (socket: Socket) => accept(serving, socket));
  server.on('request', (request, response) => onRequest(serving, request, response));
  server.on('upgrade', (request, socket, head) => onUpgrade(serving, request, socket, head));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuse(socket, malformed(error.code)));
  return {
    listen: (where) => listening(server, where, context.log),
    setCertificate: (pair) => secure?.setSecureContext(pair),
    connections: () => connections.taken(),
    pages: () => live.count(),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      live.close();
      server.closeIdleConnections();
      setTimeout(() => server.closeAllConnections(), limit.refusedWait).unref();
      await Promise.all([closed, context.sessions.close()]);
    },
  };
}

/** What every connection is served with. */
interface Serving extends Pick<PortalServerOptions, 'context' | 'addresses' | 'assets'> {
  readonly limit: Limits;
  readonly connections: ConnectionLimit;
  readonly live: Live;
  /** With its own certificate. */
  readonly secured: boolean;
}

type Limits = Record<LimitName | 'headerBytes' | 'headers' | 'refusedWait', number>;

function socketServer(
  tls: SecureContextOptions | undefined,
  limit: Limits,
): { readonly server: Server; readonly secure: HttpsServer | undefined } {
  const settings = {
    maxHeaderSize: limit.headerBytes,
    headersTimeout: limit.headWait,
    requestTimeout: limit.requestWait,
    keepAliveTimeout: limit.keepAlive,
    connectionsCheckingInterval: limit.checkInterval,
  };
  const secure = tls && createHttps({ ...settings, ...tls, handshakeTimeout: limit.headWait });
  const server: Server = secure ?? createHttp(settings);
  server.maxHeadersCount = limit.headers;
  server.timeout = limit.socketIdle;
  return { server, secure };
}

function accept({ addresses, context, connections }: Serving, socket: Socket): void {
  const key = keyOf(socket);
  const address = canonical(socket.remoteAddress) ?? 'unknown';
  const place = {
    address: networkKey(address),
    shared: addresses.isProxy(address),
    end: () => void socket.destroy(),
  };
  if (!connections.take(key, place)) {
    context.log.warning('connection-refused', { address });
    socket.destroy();
    return;
  }
  socket.once('close', () => connections.leave(key));
}

function onRequest(serving: Serving, request: IncomingMessage, response: ServerResponse): void {
  const { addresses, context, connections } = serving;
  const key = keyOf(request.socket);
  const began = context.clock.monotonic();
  let route = 'none';
  const answered = whileWorking(connections, key, request);
  response.once('close', () => {
    context.log.info('request', {
      method: request.method,
      route,
      status: response.statusCode,
      address: sourceOf(addresses, request),
      ms: Math.round(context.clock.monotonic() - began),
    });
  });
  serve(serving, request, response, (name) => {
    route = name;
  })
    .catch((error: unknown) => {
      context.log.error('request-failed', { route, message: messageOf(error) });
      response.destroy();
    })
    .finally(answered);
}

async function serve(
  serving: Serving,
  request: IncomingMessage,
  response: ServerResponse,
  isRoute: (name: string) => void,
): Promise<void> {
  const { assets, context, limit, connections, secured } = serving;
  for (const [name, value] of Object.entries(securityHeaders(secured))) response.setHeader(name, value);
  const [path = '', query = ''] = splitTarget(request.url ?? '');
  // Supervisors call by IP address, and learn nothing.
  if (path === '/healthz') {
    isRoute('/healthz');
    sendText(request, response, 200, 'ok');
    return;
  }
  let visit: Visit;
  try {
    visit = arrive(serving, request);
  } catch (error) {
    const answer = toPortalError(error);
    if (path.startsWith('/api/')) sendError(request, response, answer);
    else sendText(request, response, answer.status, answer.message);
    return;
  }
  for (const [name, value] of Object.entries(securityHeaders(visit.at.secure)))
    response.setHeader(name, value);
  // Here the cookie only keeps its connection; serveApi authorises changes.
  const session = sessionOf(context, visit);
  if (session !== undefined) connections.verified(keyOf(request.socket), session.person.account);
  if (path.startsWith('/api/')) {
    await serveApi(context, visit, response, path, query, isRoute, limit.bodyWait);
    return;
  }
  isRoute(kindOf(path));
  servePages(assets(), visit, response, path);
}

/** @throws PortalError bad-request, origin */
function arrive({ addresses, context, secured }: Serving, request: IncomingMessage): Visit {
  if (!request.url?.startsWith('/'))
    throw new PortalError('bad-request', 'the portal is not a proxy: a request must name a path');
  const at = context.site.at(request.headers.host);
  const { source, proxied, loopback } = addresses.peer(
    request.socket.remoteAddress,
    request.headers['x-forwarded-for']?.toString(),
  );
  if (at.secure ? !secured && !proxied : !loopback)
    throw new PortalError(
      'origin',
      at.secure
        ? 'without a certificate the portal answers only the reverse proxies in [portal] proxies'
        : 'over plain HTTP the portal answers only the machine that it runs on',
      { status: 421 },
    );
  return { request, at, source };
}

function onUpgrade(serving: Serving, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { addresses, context, live, connections } = serving;
  socket.on('error', () => socket.destroy());
  let status = 101;
  try {
    const visit = arrive(serving, request);
    if (splitTarget(request.url ?? '')[0] !== '/api/live')
      throw new PortalError('no-such-operation', 'the portal has one WebSocket: /api/live');
    context.site.demand(request.headers.origin, visit.at);
    const session = sessionOf(context, visit);
    if (session === undefined) throw signedOut();
    live.demandRoom(session);
    // From here on it counts as a live page.
    connections.leave(keyOf(request.socket));
    live.open(request, socket, head, session);
  } catch (error) {
    const answer = toPortalError(error);
    status = answer.status;
    refuse(socket, answer);
  }
  const address = sourceOf(addresses, request);
  context.log.info('request', { method: request.method, route: '/api/live', status, address });
}

async function listening(
  server: Server,
  where: Parameters<PortalServer['listen']>[0],
  log: Log,
): Promise<AddressInfo> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      server.on('error', (error) => log.error('accept-failed', { message: error.message }));
      resolve();
    });
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the socket is not a TCP socket');
  return address;
}

/**
 * Counts the connection as busy from the end of its request to the start of its response: slow sending and slow reading
 * do not count as work.
 * @returns to be called when the response starts
 */
function whileWorking(connections: ConnectionLimit, key: string, request: IncomingMessage): () => void {
  let isBusy = false;
  const begin = (): void => {
    isBusy = true;
    connections.busy(key);
  };
  if (isBodiless(request)) begin();
  else request.once('end', begin);
  return () => {
    request.off('end', begin);
    if (isBusy) connections.idle(key);
  };
}

/** The same for a connection and the TLS socket over it. */
function keyOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return [remoteAddress, remotePort, localAddress, localPort].join(' ');
}

function splitTarget(target: string): readonly string[] {
  const mark = target.indexOf('?');
  return mark < 0 ? [target, ''] : [target.slice(0, mark), target.slice(mark + 1)];
}

function sourceOf(addresses: Addresses, request: IncomingMessage): string | undefined {
  return addresses.peer(request.socket.remoteAddress, request.headers['x-forwarded-for']?.toString()).source;
}
