import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import type { RawAnswer, RawCall } from './call-as.ts';

/** Sends one request from this process. */
export function call(socketPath: string, { method, path, body, headers }: RawCall): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { socketPath, method, path, agent: false, ...(headers === undefined ? {} : { headers }) },
      (response) => {
        text(response).then(
          (whole) => resolve({ status: response.statusCode ?? 0, body: JSON.parse(whole) }),
          reject,
        );
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

/** A connection on which nothing is sent yet. */
export async function rawConnection(socketPath: string): Promise<Socket> {
  const socket = connect(socketPath);
  socket.on('error', () => undefined);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return socket;
}

/** All that comes until the other end closes. */
export async function untilClosed(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return Buffer.concat(chunks).toString('utf8');
}

/** Waits for a condition that another process or turn of the loop brings about. */
export async function until(what: string, condition: () => boolean, ms = 60_000): Promise<void> {
  const end = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`${ms} ms without ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
