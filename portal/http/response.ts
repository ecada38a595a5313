import type { IncomingMessage, ServerResponse } from 'node:http';
import { endIfOpen, takesMore } from '../../daemon/lib/open-stream.ts';
import { limits } from '../limits.ts';
import type { ErrorBody, PortalError } from './errors.ts';
import { unkept } from './headers.ts';

export type Headers = Readonly<Record<string, string | number>>;

/**
 * Sends a response, once.
 *
 * Invariants: the unread rest of a body is never taken for the next request, and is drained only for a bounded time;
 * draining lets the client read the error, which it could not if the connection were cut at once.
 */
export function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  headers: Headers,
  body: string | Buffer,
): void {
  // The client has disconnected.
  if (!takesMore(response)) return;
  const length = { 'content-length': Buffer.byteLength(body) };
  if (request.complete || isBodiless(request)) {
    response.writeHead(status, { ...headers, ...length });
    response.end(request.method === 'HEAD' ? undefined : body);
    return;
  }
  response.writeHead(status, { ...headers, ...length, connection: 'close' });
  response.write(body);
  const late = setTimeout(() => request.socket.destroy(), limits.refusedWait);
  response.once('close', () => clearTimeout(late));
  request.once('end', () => endIfOpen(response));
  request.resume();
}

export function isBodiless({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;
}

export function sendJson(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: object,
  headers: Headers = {},
): void {
  const type = { 'content-type': 'application/json', ...unkept };
  send(request, response, status, { ...type, ...headers }, JSON.stringify(body));
}

export function sendError(request: IncomingMessage, response: ServerResponse, error: PortalError): void {
  sendJson(request, response, error.status, bodyOf(error), error.headers);
}

export function sendText(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  text: string,
  headers: Headers = {},
): void {
  const type = { 'content-type': 'text/plain; charset=utf-8', ...unkept };
  send(request, response, status, { ...type, ...headers }, `${text}\n`);
}

export function bodyOf({ code, message }: PortalError): ErrorBody {
  return { error: { code, message } };
}
