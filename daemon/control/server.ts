import { chmodSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Admin } from '../admin/contract.ts';
import { httpStatus } from '../api/error-codes.ts';
import type { OperationName } from '../api/operations.ts';
import { type Route, route } from '../api/routes.ts';
import { readBackupBody, readFollow } from '../api/schema.ts';
import type { ApprovalsApi } from '../ceremonies/approvals-api.ts';
import type { BrowserKeys } from '../ceremonies/browser-enrolment.ts';
import type { Ceremonies } from '../ceremonies/ceremonies.ts';
import type { ImportExport } from '../enrolment/import-export-types.ts';
import { createConnectionLimit } from '../host/connection-limit.ts';
import { createRefusals } from '../host/lingering-close.ts';
import { removeStale } from '../host/listener.ts';
import { type PeerCredentials, peerOf } from '../host/peer-credentials.ts';
import { messageOf, SallyportError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { closingOf, endIfOpen } from '../lib/open-stream.ts';
import { limits } from '../limits.ts';
import { type Maintenance, sendBackup } from '../maintenance/maintenance.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Tokens } from '../sign-in/access-tokens.ts';
import type { SignIns } from '../sign-in/sign-ins.ts';
import type { Verifier } from '../verifier/contract.ts';
import {
  type Authorise,
  type Authorised,
  type AuthoriseOptions,
  createAuthorise,
  tokenIn,
} from './authorise.ts';
import { readJson } from './body.ts';
import { createFollowers, type Followers } from './follow.ts';
import { handlers } from './handlers.ts';
import { errorResponse, malformed, refusal, send } from './responses.ts';

type LimitName =
  | 'requestBody'
  | 'controlConnections'
  | 'controlConnectionsPerUid'
  | 'controlRequestWait'
  | 'controlHeaderBytes'
  | 'controlHeaders'
  | 'auditFollowers'
  | 'auditFollowUnread'
  | 'followCheck'
  | 'pageSize';
export type ControlLimits = { readonly [Name in LimitName]: number };

export interface ControlOptions extends Omit<AuthoriseOptions, 'recordOf'> {
  readonly admin: Admin;
  readonly verifier: Pick<Verifier, 'enrol' | 'verify'>;
  readonly ceremonies: Ceremonies;
  readonly signIns: SignIns;
  readonly tokens: Tokens;
  readonly browserKeys: BrowserKeys;
  readonly approvals: ApprovalsApi;
  readonly moving: ImportExport;
  readonly metrics: Metrics;
  /** Undefined if this store does not support backups. */
  readonly maintenance?: Maintenance;
  /** As last known: a connection does not wait for NSS. */
  readonly lastPortalUid?: () => number | undefined;
  readonly log: Log;
  readonly limits?: ControlLimits;
  readonly peerOf?: (socket: Socket) => PeerCredentials;
}

export interface ControlServer {
  /** @param where a path, or a listening descriptor from systemd */
  listen(where: { readonly path: string } | { readonly fd: number }): Promise<void>;
  connections(): number;
  /** Stops listening, removes its socket, ends open requests. */
  close(): Promise<void>;
}

/**
 * The HTTP API on control.sock. Invariants:
 * - the peer is identified once, before a byte is read; an unknown peer is not served;
 * - a handler parses nothing of a request before access is authorised;
 * - bodies, queries and headers are never logged: they may hold a code or a seed.
 */
export function createControlServer(options: ControlOptions): ControlServer {
  const limit = options.limits ?? limits;
  const peers = new WeakMap<Duplex, number>();
  const places = createConnectionLimit({
    total: limit.controlConnections,
    perUid: limit.controlConnectionsPerUid,
    portal: limits.controlConnectionsOfPortal,
  });
  const refusals = createRefusals<string>(limits.controlRefusedLingering);
  const followers = createFollowers(options.admin, limit);
  const context: ServerContext = {
    options,
    limit,
    followers,
    authorise: createAuthorise({ ...options, recordOf: (name) => options.admin.recordOwner(name) }),
  };

  const server = httpServer(limit);
  server.on('connection', (socket) => {
    const uid = uidOf(socket, options);
    if (uid === undefined) return;
    const isPortal = uid === options.lastPortalUid?.();
    const release = places.take(uid, options.rootUids.has(uid) ? 'root' : isPortal ? 'portal' : 'others');
    if (release === undefined) {
      refusals.send(socket, refusal('too-many-connections'));
      return;
    }
    socket.once('close', release);
    peers.set(socket, uid);
  });
  server.on('request', (request, response) => {
    const uid = peers.get(request.socket);
    // It was rejected when it connected, and its request is not read.
    if (uid === undefined) return void request.resume();
    serve(context, uid, request, response).catch((error: unknown) => {
      options.log.error('control-failed', { uid, message: messageOf(error) });
      response.destroy();
    });
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) =>
    refusals.send(socket, refusal(malformed[error.code ?? ''] ?? 'bad-request')),
  );

  return {
    listen: (where) => listenOn(server, where, options.log),
    connections: () => places.taken(),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      followers.close();
      options.ceremonies.close();
      options.signIns.close();
      options.approvals.close();
      refusals.close();
      endConnections(server);
      await closed;
    },
  };
}

function endConnections(server: Server): void {
  server.closeIdleConnections();
  setTimeout(() => server.closeAllConnections(), 1_000).unref();
}

function httpServer(limit: NonNullable<ControlOptions['limits']>): Server {
  const server = createServer({
    maxHeaderSize: limit.controlHeaderBytes,
    requestTimeout: limit.controlRequestWait,
    headersTimeout: limit.controlRequestWait,
    connectionsCheckingInterval: Math.min(1_000, limit.controlRequestWait),
    keepAliveTimeout: limit.controlRequestWait,
  });
  server.maxHeadersCount = limit.controlHeaders;
  // For a client that reads nothing of its response; the socket is idle while a handler works, so not too soon.
  server.timeout = 4 * limit.controlRequestWait;
  return server;
}

async function listenOn(
  server: Server,
  where: Parameters<ControlServer['listen']>[0],
  log: ControlOptions['log'],
): Promise<void> {
  if ('path' in where) removeStale(where.path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      server.on('error', (error) =>
        log.error('accept-failed', { listener: 'control', message: error.message }),
      );
      resolve();
    });
  });
  if ('path' in where) chmodSync(where.path, 0o666);
}

/** What serving one request needs. */
interface ServerContext {
  readonly options: ControlOptions;
  readonly limit: ControlLimits;
  readonly followers: Followers;
  readonly authorise: Authorise;
}

function uidOf(socket: Socket, options: ControlOptions): number | undefined {
  try {
    return (options.peerOf ?? peerOf)(socket).uid;
  } catch (error) {
    options.log.error('peer-unknown', { message: messageOf(error) });
    socket.destroy();
    return undefined;
  }
}

/** Where a stream of past events begins for an account that follows its own. */
async function ownFrom(
  admin: Admin,
  { isOwnOnly, account = '' }: Authorised,
  from: number | undefined,
): Promise<{ readonly from?: number }> {
  if (!isOwnOnly || from === undefined) return {};
  return { from: Math.max(from, await admin.endOfOthers(account)) };
}

async function serve(
  context: ServerContext,
  uid: number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let found: Route | undefined;
  try {
    found = route(request.method ?? '', request.url ?? '');
    const authorised = await context.authorise(uid, found, request.headers);
    if (found.name === 'audit-follow') {
      const query = readFollow(found.query);
      const user = authorised.account === undefined ? {} : { user: authorised.account };
      request.socket.setTimeout(0);
      endWithToken(context, request, response);
      const from = await ownFrom(context.options.admin, authorised, query.from);
      await context.followers.start(response, { ...query, ...user, ...from }, authorised);
      return;
    }
    if (found.name === 'approval-follow') {
      request.socket.setTimeout(0);
      endWithToken(context, request, response);
      context.options.approvals.follow(response, authorised.account ?? '');
      return;
    }
    if (found.name === 'backup') {
      const asked = readBackupBody(await readJson(request, context.limit.requestBody));
      await sendBackup(context.options.maintenance, authorised.actor, asked, response);
      return;
    }
    if (found.name === 'factor-add-unverified')
      throw new SallyportError('internal', 'a case of another operation has no route');
    const token = tokenIn(request.headers);
    const { name } = found;
    if (name === 'import') request.socket.setTimeout(limits.importWait);
    const call = {
      ...authorised,
      route: found,
      body: () => readJson(request, mostBytes(context.limit, name)),
      ended: () => closingOf(response),
      ...(token === undefined ? {} : { token }),
    };
    send(request, response, 200, await handlers[found.name](context.options, call));
  } catch (error) {
    if (response.headersSent) throw error;
    const { code, message } = errorResponse(context.options.log, error, uid, found);
    send(request, response, httpStatus[code], { error: { code, message } });
  }
}

function mostBytes({ requestBody }: ControlLimits, name: OperationName): number {
  return name === 'import' ? limits.importBody : requestBody;
}

/** Invariant: a stream ends with the session that authorised it. */
function endWithToken(
  { options, limit }: ServerContext,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const token = tokenIn(request.headers);
  if (token === undefined) return;
  const timer = setInterval(() => {
    if (!options.tokens.isLive(token)) endIfOpen(response);
  }, limit.followCheck).unref();
  response.once('close', () => clearInterval(timer));
}
