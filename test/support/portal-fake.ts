import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type WebSocket, WebSocketServer } from 'ws';
import type { ApprovalView } from '../../daemon/api/sign-in-views.ts';
import type { StoredAuditEvent } from '../../daemon/api/views.ts';
import type { LiveMessage } from '../../portal/contract.ts';
import { type Assets, bodyFor, loadAssets } from '../../portal/http/assets.ts';
import { securityHeaders } from '../../portal/http/headers.ts';
import { kindOf } from '../../portal/pages.ts';
import { assertionOptions } from './portal-fake-keys.ts';
import { FakeError, type FakePerson, newPerson } from './portal-fake-people.ts';
import {
  beginSession,
  type FakeSession,
  type FakeState,
  fakeRoutes,
  sessionOf,
} from './portal-fake-routes.ts';
import { projectRoot } from './project.ts';

/** The pages with a server that answers their contract from memory: for tests, and to look at them by hand. */
export interface PortalFake {
  readonly origin: string;
  readonly state: FakeState;
  person(account: string, given?: Partial<FakePerson>): FakePerson;
  /** A session, as if somebody had signed in just now. @returns its cookie */
  begin(person: FakePerson): string;
  /** Times out every session: the next request is `signed-out`. `tell`: the WebSocket says so. */
  endSessions(tell: boolean): void;
  /** Changes need a proof from now on. */
  endChanges(): void;
  approval(person: FakePerson, given?: Partial<ApprovalView>): ApprovalView;
  /** As when a login begins to wait: every page of that person hears of it. */
  announce(approval: ApprovalView): void;
  audit(event: Partial<StoredAuditEvent>): void;
  close(): Promise<void>;
}

const headers = securityHeaders(false);
/** Read and compressed once, as the portal's server does. */
let pages: Assets | undefined;
const cookieName = 'sallyport';

export async function startPortalFake(port = 0): Promise<PortalFake> {
  let origin = '';
  const state: FakeState = {
    people: new Map(),
    sessions: new Map(),
    signIns: new Map(),
    ceremonies: new Map(),
    links: new Map(),
    approvals: new Map(),
    audit: [],
    origin: () => origin,
    rpId: 'localhost',
  };
  const sockets = new Map<WebSocket, { session: FakeSession; follows: boolean }>();
  const announced: ApprovalView[] = [];
  const server = createServer((request, response) => void answer(state, request, response));
  const live = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    const session = sessionOf({ state, cookie: cookieOf(request) });
    if (session === undefined || request.headers.origin !== origin) {
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
      return;
    }
    live.handleUpgrade(request, socket, head, (opened) => {
      sockets.set(opened, { session, follows: false });
      opened.on('message', (data) => {
        const entry = sockets.get(opened);
        if (entry !== undefined && /follow-audit/.test(String(data))) entry.follows = true;
      });
      opened.on('close', () => sockets.delete(opened));
      // Whoever comes later hears of what waits already.
      for (const view of announced)
        if (view.account === session.person.account)
          opened.send(JSON.stringify({ kind: 'approval', approval: view }));
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  origin = `http://localhost:${(server.address() as AddressInfo).port}`;

  const send = (message: LiveMessage, to: (session: FakeSession, follows: boolean) => boolean) => {
    for (const [socket, { session, follows }] of sockets)
      if (to(session, follows)) socket.send(JSON.stringify(message));
  };

  return {
    origin,
    state,
    person(account, given) {
      const person = newPerson(account, given);
      state.people.set(account, person);
      return person;
    },
    begin: (person) => beginSession(state, person),
    endSessions(tell) {
      for (const session of state.sessions.values()) session.readsUntil = 0;
      if (tell) send({ kind: 'signed-out' }, () => true);
    },
    endChanges() {
      for (const session of state.sessions.values()) session.changesUntil = 0;
    },
    approval(person, given = {}) {
      const key = assertionOptions(person, state.rpId) ?? {
        challenge: 'AAAA',
        rpId: state.rpId,
        allowCredentials: [],
        userVerification: 'discouraged' as const,
        timeout: 60_000,
      };
      const view: ApprovalView = {
        id: `approval-${state.approvals.size + 1}`,
        account: person.account,
        host: 'server1.example.org',
        service: 'sshd',
        source: '192.0.2.10',
        asked: Date.now(),
        expires: Date.now() + 90_000,
        elsewhere: false,
        key,
        ...given,
      };
      state.approvals.set(view.id, { view, person, number: '47' });
      return view;
    },
    announce(approval) {
      announced.push(approval);
      send({ kind: 'approval', approval }, ({ person }) => person.account === approval.account);
    },
    audit(event) {
      const stored: StoredAuditEvent = {
        seq: state.audit.length + 1,
        kind: 'login',
        outcome: 'success',
        at: Date.now(),
        account: 'alice',
        reason: 'accepted',
        service: 'sshd',
        source: '192.0.2.10',
        ...event,
      };
      state.audit.push(stored);
      send({ kind: 'audit', event: stored }, (_, follows) => follows);
    },
    async close() {
      for (const socket of sockets.keys()) socket.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(state: FakeState, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  if (!url.pathname.startsWith('/api/')) {
    sendFile(request, response, url.pathname);
    return;
  }
  const cookies: Record<string, string> = {};
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const found = routeFor(request.method ?? '', url.pathname);
    if (found === undefined) throw new FakeError('no-such-operation', 404, 'no such operation');
    const given = await found.run({
      state,
      cookie: cookieOf(request),
      path: found.path,
      query: url.searchParams,
      body: chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString('utf8')),
      keep: (id) => {
        cookies['set-cookie'] =
          `${cookieName}=${id ?? ''}; HttpOnly; SameSite=Strict; Path=/${id === undefined ? '; Max-Age=0' : ''}`;
      },
    });
    sendJson(response, 200, given, cookies);
  } catch (error) {
    const { code, status, message } =
      error instanceof FakeError ? error : new FakeError('internal', 500, String(error));
    sendJson(response, status, { error: { code, message } }, cookies);
  }
}

function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  more: Readonly<Record<string, string>>,
): void {
  response.writeHead(status, {
    ...headers,
    ...more,
    'content-type': 'application/json',
    'cache-control': 'no-store',
  });
  response.end(JSON.stringify(body));
}

function sendFile(request: IncomingMessage, response: ServerResponse, path: string): void {
  pages ??= loadAssets(join(projectRoot, 'dist/portal/public'));
  const asset = pages?.get(kindOf(path) === 'page' ? '/index.html' : path);
  if (asset === undefined) {
    response.writeHead(404, headers).end();
    return;
  }
  const { encoding, body } = bodyFor(asset, request.headers['accept-encoding']?.toString());
  response.writeHead(200, {
    ...headers,
    'content-type': asset.type,
    'cache-control': asset.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
    ...(encoding === 'identity' ? {} : { 'content-encoding': encoding }),
  });
  response.end(body);
}

function routeFor(method: string, path: string) {
  for (const [name, run] of Object.entries(fakeRoutes)) {
    const [wanted, pattern = ''] = name.split(' ');
    const expression = new RegExp(`^${pattern.replace(/:(\w+)/g, '(?<$1>[^/]+)')}$`);
    const match = wanted === method ? expression.exec(path) : null;
    if (match === null) continue;
    const parameters = Object.fromEntries(
      Object.entries(match.groups ?? {}).map(([key, value]) => [key, decodeURIComponent(value)]),
    );
    return { run, path: parameters };
  }
  return undefined;
}

function cookieOf(request: IncomingMessage): string | undefined {
  return new RegExp(`(?:^|; )${cookieName}=([^;]+)`).exec(request.headers.cookie ?? '')?.[1];
}
