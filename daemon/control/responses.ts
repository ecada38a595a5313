import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ControlCode, httpStatus, isControlCode } from '../api/error-codes.ts';
import type { Route } from '../api/routes.ts';
import { codeOf, messageOf, SallyportError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { takesMore } from '../lib/open-stream.ts';

/** Maps an error to what the client may read. The details of unexpected errors stay in the log. */
export function errorResponse(
  log: Log,
  error: unknown,
  uid: number,
  found: Route | undefined,
): { readonly code: ControlCode; readonly message: string } {
  const operation = found?.name ?? 'none';
  if (error instanceof SallyportError && isControlCode(error.code)) {
    const { code, message } = error;
    if (httpStatus[code] >= 500) log.error('control-error', { operation, uid, code, message });
    else if (httpStatus[code] === 403) log.info('control-refused', { operation, uid, code });
    return { code, message };
  }
  log.error('control-error', {
    operation,
    uid,
    code: codeOf(error),
    message: messageOf(error),
  });
  return {
    code: 'internal',
    message: 'internal error of sallyportd; see: journalctl -u sallyportd',
  };
}

/** One complete response. */
export function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: unknown,
): void {
  // The client has disconnected, or the server is closing: no reader is left.
  if (!takesMore(response)) return;
  const plain = body instanceof PlainText ? body : undefined;
  const text = plain?.text ?? JSON.stringify(body);
  // The rest of an unread body must not be taken for the next request.
  const rest = request.complete ? {} : { connection: 'close' };
  response.writeHead(status, {
    'content-type': plain?.type ?? 'application/json',
    'content-length': Buffer.byteLength(text),
    ...rest,
  });
  response.end(text);
  if (!request.complete) request.resume();
}

/** Node's codes for requests that could not be read. */
export const malformed: Readonly<Record<string, keyof typeof refusedWith>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
  HPE_HEADER_OVERFLOW: 'header-too-large',
};

/** The messages for requests that could not be read. */
const refusedWith = {
  'request-timeout': 'the request took too long to arrive',
  'header-too-large': 'the header of the request is too large',
  'bad-request': 'the request is not valid HTTP',
  'too-many-connections': 'too many connections to sallyportd; try again',
} satisfies Partial<Record<ControlCode, string>>;

/** A response without a request. */
export function refusal(code: keyof typeof refusedWith): string {
  const text = JSON.stringify({ error: { code, message: refusedWith[code] } });
  return (
    `HTTP/1.1 ${httpStatus[code]} ${code}\r\ncontent-type: application/json\r\n` +
    `content-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`
  );
}

/** An answer that is no JSON. */
export class PlainText {
  readonly text: string;
  readonly type: string;

  constructor(text: string, type: string) {
    this.text = text;
    this.type = type;
  }
}

/** prometheus.io/docs/instrumenting/exposition_formats, "Basic info". */
export const metricsType = 'text/plain; version=0.0.4; charset=utf-8';
