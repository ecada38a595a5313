import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { type ControlCode, isControlCode } from '../api/error-codes.ts';
import { SallyportError } from '../lib/errors.ts';
import { limits } from '../limits.ts';

/** The daemon's error codes, and the client's own: the daemon is unreachable. */
export type ClientCode = ControlCode | 'daemon-unreachable';

/** An error as the daemon reported it, or `daemon-unreachable`. */
export class ControlError extends SallyportError<ClientCode> {
  constructor(code: ClientCode, message: string, options?: { readonly cause?: unknown }) {
    super(code, message, options);
    this.name = 'ControlError';
  }
}

export interface ClientOptions {
  readonly socket: string;
  /** Carries requests instead of the socket: to a sallyportd that serves only this client. */
  readonly carrier?: Carrier;
  /** A token; root needs none. */
  readonly token?: string;
  /** Called if a token is needed and missing: asks the user, once. */
  readonly signIn?: () => Promise<string>;
  /** Milliseconds without a byte; two NSS look-ups may take 8 s each. */
  readonly timeout?: number;
  /** Ends what is under way. */
  readonly signal?: AbortSignal;
}

/** @returns the answer, its body as JSON gives it */
export type Carrier = (request: {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly body?: unknown;
}) => Promise<{ readonly status: number; readonly body: unknown }>;

/** One request, its parameters in its path. */
export interface Request {
  readonly method: string;
  readonly path: string;
  readonly query?: object | undefined;
  readonly body?: unknown;
}

/** @throws ControlError */
export async function ask<T>(options: ClientOptions, wanted: Request): Promise<T> {
  return parse(await askText(options, wanted), options.socket) as T;
}

/** For an answer that is no JSON. @throws ControlError */
export async function askText(options: ClientOptions, wanted: Request): Promise<string> {
  try {
    return await askOnce(options, wanted);
  } catch (error) {
    const { signIn, ...rest } = options;
    if (signIn === undefined || !(error instanceof ControlError) || error.code !== 'token-needed')
      throw error;
    return askOnce({ ...rest, token: await signIn() }, wanted);
  }
}

async function askOnce(options: ClientOptions, wanted: Request): Promise<string> {
  if (options.carrier !== undefined) {
    const path = `${wanted.path}${queryText(wanted.query)}`;
    const { status, body } = await options.carrier({ method: wanted.method, path, body: wanted.body });
    if (status === 200) return JSON.stringify(body);
    throw errorIn(body, options.socket);
  }
  const response = await send(options, wanted);
  const text = await whole(response, options.socket);
  if (response.statusCode === 200) return text;
  throw errorIn(parse(text, options.socket), options.socket);
}

/** An answer of bytes, however many; it ends with an error when the daemon did not come to its end. */
export async function* download(options: ClientOptions, wanted: Request): AsyncGenerator<Buffer> {
  if (options.carrier !== undefined) throw new ControlError('bad-request', 'that needs a running sallyportd');
  const response = await send({ ...options, timeout: limits.backupStall }, wanted);
  if (response.statusCode !== 200)
    throw errorIn(parse(await whole(response, options.socket), options.socket), options.socket);
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    throw unreachable(options.socket, error);
  } finally {
    response.destroy();
  }
}

/** An answer of one JSON object a line. @param opened hears its head @throws ControlError */
export async function* stream<T>(
  options: ClientOptions,
  wanted: Request,
  opened?: (headers: IncomingHttpHeaders) => void,
): AsyncIterable<T> {
  if (options.carrier !== undefined)
    throw new ControlError('bad-request', 'nothing can be followed while sallyportd is stopped');
  const response = await send(options, wanted);
  if (response.statusCode !== 200)
    throw errorIn(parse(await whole(response, options.socket), options.socket), options.socket);
  response.socket.setTimeout(0);
  opened?.(response.headers);
  try {
    for await (const line of linesOf(response)) {
      const parsed = parse(line, options.socket);
      if (typeof parsed === 'object' && parsed !== null && 'error' in parsed)
        throw errorIn(parsed, options.socket);
      yield parsed as T;
    }
  } catch (error) {
    throw error instanceof ControlError ? error : unreachable(options.socket, error);
  } finally {
    response.destroy();
  }
}

function send(options: ClientOptions, wanted: Request): Promise<IncomingMessage> {
  const body = wanted.body === undefined ? undefined : Buffer.from(JSON.stringify(wanted.body));
  const headers = {
    ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length }),
    ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
  };
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      socketPath: options.socket,
      method: wanted.method,
      path: `${wanted.path}${queryText(wanted.query)}`,
      headers,
      agent: false,
      timeout: options.timeout ?? 4 * limits.nssWait,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
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
  return new ControlError('daemon-unreachable', `unexpected response on ${socket}; check: ss -xlp`);
}

function unreachable(socket: string, cause: unknown): ControlError {
  const why = cause instanceof Error ? ('code' in cause ? String(cause.code) : cause.message) : String(cause);
  return new ControlError(
    'daemon-unreachable',
    `sallyportd does not answer on ${socket} (${why}); start it with: systemctl start sallyportd`,
    { cause },
  );
}
