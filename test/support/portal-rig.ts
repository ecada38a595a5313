import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import type { SecureContextOptions } from 'node:tls';
import { WebSocket } from 'ws';
import { createLog } from '../../daemon/lib/log.ts';
import type { ServerContext } from '../../portal/context.ts';
import { createFamiliar } from '../../portal/familiar.ts';
import { createAddresses, type ProxyNetwork } from '../../portal/http/address.ts';
import type { Assets } from '../../portal/http/assets.ts';
import { createRateLimiter } from '../../portal/http/rate-limiter.ts';
import { createPortalServer, type PortalServer, type PortalServerOptions } from '../../portal/http/server.ts';
import { createSite } from '../../portal/http/site.ts';
import { limits } from '../../portal/limits.ts';
import { createSessions, type Sessions } from '../../portal/sessions.ts';
import { FakePortalDaemon } from './fake-portal-daemon.ts';

export const origin = 'http://localhost:8443';
export const secureOrigin = 'https://login.example.org';
export const loopbackProxy: ProxyNetwork = { family: 'ipv4', address: '127.0.0.1', prefix: 32 };

export interface PortalRigOptions {
  readonly origins?: readonly string[];
  readonly proxies?: readonly ProxyNetwork[];
  readonly tls?: SecureContextOptions;
  readonly assets?: Assets;
  readonly limits?: PortalServerOptions['limits'];
}

/** The portal's server on a real port, over a daemon that is none, with a clock that can be put ahead. */
export interface PortalRig {
  readonly daemon: FakePortalDaemon;
  readonly sessions: Sessions;
  readonly server: PortalServer;
  readonly port: number;
  readonly logged: string[];
  readonly clock: { ahead: number };
  close(): Promise<void>;
}

export async function startPortal(options: PortalRigOptions = {}): Promise<PortalRig> {
  const daemon = new FakePortalDaemon();
  const clock = { ahead: 0 };
  const monotonic = () => performance.now() + clock.ahead;
  const logged: string[] = [];
  const sessions = createSessions({
    limits,
    monotonic,
    endToken: (token) => daemon.person(token).endToken(),
  });
  const rateLimit = (of: { readonly burst: number; readonly forgetOneIn: number }) =>
    createRateLimiter({ ...of, entries: limits.rateEntries, monotonic });
  const context: ServerContext = {
    site: createSite({ name: 'Example', rpId: 'localhost', origins: options.origins ?? [origin] }),
    daemon,
    sessions,
    rateLimits: {
      signIns: rateLimit(limits.signInRate),
      wrong: rateLimit(limits.wrongAnswerRate),
      guesses: rateLimit(limits.guessRate),
    },
    familiar: createFamiliar(),
    clock: { now: () => Date.now() + clock.ahead, monotonic },
    log: createLog((line) => logged.push(line), false),
  };
  const server = createPortalServer({
    context,
    addresses: createAddresses(options.proxies ?? []),
    assets: () => options.assets,
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  return { daemon, sessions, server, port, logged, clock, close: () => server.close() };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly body: { readonly error?: { readonly code: string; readonly message: string } } & Record<
    string,
    unknown
  >;
}

export interface Asked {
  /** null: not sent. */
  readonly headers?: Readonly<Record<string, string | null>>;
  readonly body?: unknown;
  /** As it is, in place of JSON. */
  readonly raw?: string | Buffer;
  readonly cookie?: string;
}

/** One request, by default as a page of ours sends it. */
export function ask(rig: { readonly port: number }, route: string, asked: Asked = {}): Promise<Answer> {
  const [method = '', path = ''] = route.split(' ');
  const body = asked.raw ?? (asked.body === undefined ? undefined : JSON.stringify(asked.body));
  const headers = {
    host: 'localhost:8443',
    ...(method === 'GET' ? {} : { origin }),
    ...(body === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
    ...(asked.cookie === undefined ? {} : { cookie: asked.cookie }),
    ...asked.headers,
  };
  return new Promise((resolve, reject) => {
    const sent = httpRequest({
      host: '127.0.0.1',
      port: rig.port,
      method,
      path,
      headers: Object.fromEntries(Object.entries(headers).filter((pair) => pair[1] !== null)),
      agent: false,
    });
    sent.on('response', (response) => {
      text(response).then(
        (whole) =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: whole,
            body: /json/.test(response.headers['content-type'] ?? '') ? JSON.parse(whole) : {},
          }),
        reject,
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

export function codeIn(answer: Answer): string {
  return `${answer.status} ${answer.body.error?.code ?? 'none'}`;
}

/** Signs alice in, and gives her cookie. */
export async function signIn(rig: PortalRig, more: Asked = {}): Promise<string> {
  const begun = await ask(rig, 'POST /api/sign-in', {
    body: { by: 'password', user: 'alice', password: 'right' },
    ...more,
  });
  const done = await ask(rig, `POST /api/sign-in/${String(begun.body.id)}`, {
    body: { kind: 'typed', answer: '123456' },
    ...more,
  });
  return cookieIn(done) ?? '';
}

export function cookieIn({ headers }: Answer): string | undefined {
  return headers['set-cookie']?.[0]?.split(';')[0];
}

/** @param localAddress where it comes from */
export async function rawSocket(rig: { readonly port: number }, localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port: rig.port, host: '127.0.0.1', localAddress });
  socket.on('error', () => undefined);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return socket;
}

/** A page that listens. */
export interface Ear {
  readonly socket: WebSocket;
  readonly heard: unknown[];
  /** The status that the upgrade was refused with, or 101. */
  readonly status: Promise<number>;
  readonly closed: Promise<number>;
}

export function listenLive(
  rig: { readonly port: number },
  headers: Readonly<Record<string, string>>,
  path = '/api/live',
): Ear {
  const socket = new WebSocket(`ws://127.0.0.1:${rig.port}${path}`, {
    headers: { host: 'localhost:8443', origin, ...headers },
  });
  const heard: unknown[] = [];
  socket.on('message', (data) => heard.push(JSON.parse(String(data))));
  socket.on('error', () => undefined);
  return {
    socket,
    heard,
    status: new Promise((resolve) => {
      socket.once('open', () => resolve(101));
      socket.once('unexpected-response', (_, response) => {
        resolve(response.statusCode ?? 0);
        socket.terminate();
      });
      socket.once('close', () => resolve(0));
    }),
    closed: new Promise((resolve) => socket.once('close', (code) => resolve(code))),
  };
}
