import type { Writable } from 'node:stream';

type Stream = Pick<Writable, 'writableEnded' | 'destroyed' | 'write' | 'end'>;

/**
 * Writing where the other side, or the program itself, may have ended the stream meanwhile. Node reports a write
 * behind the end as an error event, which ends the program where no listener takes it.
 */
export function takesMore({ writableEnded, destroyed }: Stream): boolean {
  return !writableEnded && !destroyed;
}

/** @returns false: it is full, and says when it has drained; what takes nothing any more is not full */
export function writeIfOpen(stream: Stream, chunk: string | Uint8Array): boolean {
  return takesMore(stream) ? stream.write(chunk) : true;
}

export function endIfOpen(stream: Stream, chunk?: string | Uint8Array): void {
  if (takesMore(stream)) stream.end(chunk);
}

/**
 * Aborted once the stream is closed, for work whose outcome only the other side wants.
 * The controller is held by the stream, so that no garbage collector takes it before.
 */
export function closingOf(stream: Pick<Writable, 'destroyed' | 'once'>): AbortSignal {
  const closing = new AbortController();
  const close = (): void => closing.abort('disconnected');
  if (stream.destroyed) close();
  else stream.once('close', close);
  return closing.signal;
}
