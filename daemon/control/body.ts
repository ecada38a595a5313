import type { IncomingMessage } from 'node:http';
import { SallyportError } from '../lib/errors.ts';

/**
 * Reads a JSON body. Bytes over the limit are never kept, whatever Content-Length says. The buffers are wiped: they may
 * hold a seed or a code. (The strings made of them are left to the garbage collector.)
 * @returns undefined for an empty body
 * @throws SallyportError body-too-large, bad-request
 */
export async function readJson(request: IncomingMessage, most: number): Promise<unknown> {
  const tooLarge = () =>
    new SallyportError('body-too-large', `the body of a request may have at most ${most} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > most) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > most) throw tooLarge();
      chunks.push(chunk);
    }
    return length === 0 ? undefined : parse(chunks);
  } finally {
    for (const chunk of chunks) chunk.fill(0);
  }
}

function parse(chunks: readonly Buffer[]): unknown {
  const whole = Buffer.concat(chunks);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(whole));
  } catch {
    // The parser's own message quotes the text.
    throw new SallyportError('bad-request', 'the body of the request is not JSON in UTF-8');
  } finally {
    whole.fill(0);
  }
}
