import type { Duplex } from 'node:stream';
import { limits } from '../limits.ts';
import { PortalError } from './errors.ts';
import { securityHeaders, unkept } from './headers.ts';
import { bodyOf } from './response.ts';

/** Answers on a socket without a response object, and closes the connection. */
export function refuse(socket: Duplex, error: PortalError): void {
  socket.on('error', () => socket.destroy());
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const text = JSON.stringify(bodyOf(error));
  const headers = {
    ...securityHeaders(false),
    ...unkept,
    ...error.headers,
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(text)),
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const late = setTimeout(() => socket.destroy(), limits.refusedWait);
  socket.once('close', () => clearTimeout(late));
  socket.end(`HTTP/1.1 ${error.status} ${error.code}\r\n${lines.join('')}\r\n${text}`);
  socket.resume();
}

/** The error for a request that could not be read. @param code of Node's parser and timers */
export function malformed(code: string | undefined): PortalError {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new PortalError('request-timeout', 'the request took too long to arrive');
    case 'HPE_HEADER_OVERFLOW':
      return new PortalError('header-too-large', 'the header of the request is too large');
    default:
      return new PortalError('bad-request', 'the request is not valid HTTP');
  }
}
