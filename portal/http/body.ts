import type { IncomingMessage } from 'node:http';
import { PortalError } from './errors.ts';

/**
 * Reads a JSON body. Bytes over the limit are never kept, whatever Content-Length says, and reading takes at most `ms`,
 * whether the body trickles or stalls; the request stays open, so that it can still be answered. The buffers are wiped:
 * they hold passwords.
 * @returns undefined for an empty body
 * @throws PortalError body-too-large, bad-request, request-timeout
 */
export async function readJson(request: IncomingMessage, most: number, ms: number): Promise<unknown> {
  const chunks: Buffer[] = [];
  try {
    await collect(request, most, ms, chunks);
    return chunks.length === 0 ? undefined : parse(chunks);
  } finally {
    for (const chunk of chunks) chunk.fill(0);
  }
}

function collect(request: IncomingMessage, most: number, ms: number, chunks: Buffer[]): Promise<void> {
  const tooLarge = () =>
    new PortalError('body-too-large', `the body of a request may have at most ${most} bytes`);
  return new Promise((resolve, reject) => {
    if (Number(request.headers['content-length'] ?? 0) > most) {
      reject(tooLarge());
      return;
    }
    let length = 0;
    const late = setTimeout(() => {
      stop();
      request.pause();
      reject(new PortalError('request-timeout', 'the body of the request took too long to arrive'));
    }, ms);
    const stop = (): void => {
      clearTimeout(late);
      request.off('data', take);
      request.off('end', done);
      request.off('close', gone);
    };
    const take = (chunk: Buffer): void => {
      length += chunk.length;
      if (length <= most) {
        chunks.push(chunk);
        return;
      }
      stop();
      request.pause();
      reject(tooLarge());
    };
    const done = (): void => {
      stop();
      resolve();
    };
    const gone = (): void => {
      stop();
      reject(new PortalError('bad-request', 'the request was cut off'));
    };
    request.on('data', take);
    request.once('end', done);
    request.once('close', gone);
    request.once('error', gone);
  });
}

function parse(chunks: readonly Buffer[]): unknown {
  const whole = Buffer.concat(chunks);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(whole));
  } catch {
    // The parser's own message quotes the text.
    throw new PortalError('bad-request', 'the body of the request is not JSON in UTF-8');
  } finally {
    whole.fill(0);
  }
}
