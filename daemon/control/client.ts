import { request as httpRequest, type IncomingMessage } from 'node:http';
import { SallyportError } from '../errors.ts';
import { limits } from '../limits.ts';
import { type ControlCode, isControlCode } from './codes.ts';
import { type OperationName, operation } from './operations.ts';
import { pathOf } from './router.ts';
import type {
  AuditPage,
  AuditQuery,
  CeremonyBody,
  CeremonyView,
  ChangeView,
  EnrolBody,
  EnrolView,
  ExplainQuery,
  ExplainView,
  FactorSummary,
  Realm,
  ReloadView,
  StatusView,
  StoredAuditEvent,
  UserPage,
  UserView,
  VerifyBody,
  VerifyView,
} from './views.ts';

/** What the daemon says of itself, and what only the client can: that there is none. */
export type ClientCode = ControlCode | 'daemon-unreachable';

/** An error as the daemon told it, or `daemon-unreachable`. */
export class ControlError extends SallyportError<ClientCode> {
  constructor(code: ClientCode, message: string, options?: { readonly cause?: unknown }) {
    super(code, message, options);
    this.name = 'ControlError';
  }
}

/** sallyportd over its control socket. Every call may throw a ControlError. */
export interface ControlClient {
  status(): Promise<StatusView>;
  reload(): Promise<ReloadView>;
  realms(): Promise<readonly Realm[]>;
  realm(name: string): Promise<Realm>;
  users(after: string | undefined, limit: number): Promise<UserPage>;
  user(name: string): Promise<UserView>;
  unlock(user: string): Promise<ChangeView>;
  factors(user: string): Promise<readonly FactorSummary[]>;
  addFactor(user: string, body: EnrolBody): Promise<EnrolView>;
  /** A security key of this machine; its steps follow with `nextStep`. */
  beginCeremony(user: string, body: CeremonyBody): Promise<CeremonyView>;
  /** Waits for a step after the one given; the same one again: nothing happened yet. */
  nextStep(user: string, seen: CeremonyView, pin?: string): Promise<CeremonyView>;
  cancelCeremony(user: string, ceremony: string): Promise<CeremonyView>;
  renameFactor(user: string, factor: string, name: string): Promise<ChangeView>;
  enableFactor(user: string, factor: string): Promise<ChangeView>;
  disableFactor(user: string, factor: string): Promise<ChangeView>;
  removeFactor(user: string, factor: string): Promise<ChangeView>;
  verify(user: string, body: VerifyBody): Promise<VerifyView>;
  explain(user: string, query: ExplainQuery): Promise<ExplainView>;
  audit(query: AuditQuery): Promise<AuditPage>;
  /** Events after the place `from`, as they come, until the daemon ends the stream. */
  follow(query: { readonly user?: string; readonly from?: number }): AsyncIterable<StoredAuditEvent>;
}

export interface ClientOptions {
  readonly socket: string;
  /** A change token; root needs none. */
  readonly token?: string;
  /** Milliseconds without a byte; NSS alone may take 8 s, twice. */
  readonly timeout?: number;
}

interface Wanted {
  readonly parameters?: Readonly<Record<string, string>>;
  readonly query?: object;
  readonly body?: unknown;
}

export function createClient(options: ClientOptions): ControlClient {
  const call = <T>(name: OperationName, wanted: Wanted = {}): Promise<T> => ask<T>(options, name, wanted);
  const at = (user: string, factor: string) => ({ parameters: { user, factor } });
  return {
    status: () => call('status'),
    reload: () => call('reload'),
    realms: async () => (await call<{ realms: readonly Realm[] }>('realm-list')).realms,
    realm: (realm) => call('realm-show', { parameters: { realm } }),
    users: (after, limit) => call('user-list', { query: { after, limit } }),
    user: (user) => call('user-show', { parameters: { user } }),
    unlock: (user) => call('user-unlock', { parameters: { user } }),
    factors: async (user) =>
      (await call<{ factors: readonly FactorSummary[] }>('factor-list', { parameters: { user } })).factors,
    addFactor: (user, body) => call('factor-add', { parameters: { user }, body }),
    beginCeremony: (user, body) => call('ceremony-begin', { parameters: { user }, body }),
    nextStep: (user, { id, step }, pin) =>
      call('ceremony-next', {
        parameters: { user, ceremony: id },
        body: { seen: step.number, ...(pin === undefined ? {} : { pin }) },
      }),
    cancelCeremony: (user, ceremony) => call('ceremony-cancel', { parameters: { user, ceremony } }),
    renameFactor: (user, factor, name) => call('factor-rename', { ...at(user, factor), body: { name } }),
    enableFactor: (user, factor) => call('factor-enable', at(user, factor)),
    disableFactor: (user, factor) => call('factor-disable', at(user, factor)),
    removeFactor: (user, factor) => call('factor-remove', at(user, factor)),
    verify: (user, body) => call('verify', { parameters: { user }, body }),
    explain: (user, query) => call('explain', { parameters: { user }, query }),
    audit: (query) => call('audit-read', { query }),
    follow: (query) => follow(options, query),
  };
}

async function ask<T>(options: ClientOptions, name: OperationName, wanted: Wanted): Promise<T> {
  const response = await send(options, name, wanted);
  const text = await whole(response, options.socket);
  const parsed = parse(text, options.socket);
  if (response.statusCode === 200) return parsed as T;
  throw errorIn(parsed, options.socket);
}

async function* follow(
  options: ClientOptions,
  query: { readonly user?: string; readonly from?: number },
): AsyncIterable<StoredAuditEvent> {
  const response = await send(options, 'audit-follow', { query });
  if (response.statusCode !== 200)
    throw errorIn(parse(await whole(response, options.socket), options.socket), options.socket);
  response.socket.setTimeout(0);
  try {
    for await (const line of linesOf(response)) {
      const parsed = parse(line, options.socket);
      if (typeof parsed === 'object' && parsed !== null && 'error' in parsed)
        throw errorIn(parsed, options.socket);
      yield parsed as StoredAuditEvent;
    }
  } catch (error) {
    throw error instanceof ControlError ? error : unreachable(options.socket, error);
  } finally {
    response.destroy();
  }
}

function send(options: ClientOptions, name: OperationName, wanted: Wanted): Promise<IncomingMessage> {
  const body = wanted.body === undefined ? undefined : Buffer.from(JSON.stringify(wanted.body));
  const headers = {
    ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length }),
    ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
  };
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      socketPath: options.socket,
      method: operation(name).method,
      path: `${pathOf(name, wanted.parameters ?? {})}${queryText(wanted.query)}`,
      headers,
      agent: false,
      timeout: options.timeout ?? 4 * limits.nssWait,
    });
    request.once('response', resolve);
    request.once('timeout', () => request.destroy(new Error('it did not answer in time')));
    request.once('error', (error) => reject(unreachable(options.socket, error)));
    request.end(body, () => body?.fill(0));
  });
}

function queryText(query: object | undefined): string {
  const pairs = Object.entries(query ?? {}).filter(([, value]) => value !== undefined);
  if (pairs.length === 0) return '';
  return `?${pairs.map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`).join('&')}`;
}

async function whole(response: IncomingMessage, socket: string): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  } catch (error) {
    throw unreachable(socket, error);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function* linesOf(response: IncomingMessage): AsyncIterable<string> {
  response.setEncoding('utf8');
  let rest = '';
  for await (const chunk of response as AsyncIterable<string>) {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop() ?? '';
    yield* lines.filter((line) => line !== '');
  }
}

function parse(text: string, socket: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw strange(socket);
  }
}

function errorIn(body: unknown, socket: string): ControlError {
  if (typeof body !== 'object' || body === null || !('error' in body)) return strange(socket);
  const { error } = body;
  if (typeof error !== 'object' || error === null || !('code' in error) || !('message' in error))
    return strange(socket);
  const code = String(error.code);
  return new ControlError(isControlCode(code) ? code : 'internal', String(error.message));
}

function strange(socket: string): ControlError {
  return new ControlError(
    'daemon-unreachable',
    `what answers on ${socket} does not speak as sallyportd does; look who listens there: ss -xlp`,
  );
}

function unreachable(socket: string, cause: unknown): ControlError {
  const why = cause instanceof Error ? ('code' in cause ? String(cause.code) : cause.message) : String(cause);
  return new ControlError(
    'daemon-unreachable',
    `sallyportd does not answer on ${socket} (${why}); start it with: systemctl start sallyportd`,
    { cause },
  );
}
