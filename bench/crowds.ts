import { type RequestOptions, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { answerFrame } from './frames.ts';

/** Strangers who go on until they are stopped. */
export interface Crowd {
  /** Resolves when nothing that they have begun is under way any more. */
  stop(): Promise<void>;
}

/** A program of the stranger's has to be started, or a page to be filled in, before the next try. */
const pause = 100;

/** What one stranger sends on pam.sock: at once, and after the first answer. Without `hello` it sends nothing. */
export interface Lines {
  readonly hello?: Buffer;
  readonly answer?: () => string;
}

/** Connections to a socket of logins. All strangers connect at the same moment, and again after each end. */
export function crowdOfLogins(path: string, strangers: readonly Lines[]): Crowd {
  const sockets = new Set<Socket>();
  let isRunning = true;
  const begin = (lines: Lines): void => {
    if (!isRunning) return;
    const socket = connect(path);
    sockets.add(socket);
    let answered = lines.answer === undefined;
    socket.on('error', () => undefined);
    if (lines.hello !== undefined) socket.write(lines.hello);
    socket.on('data', () => {
      if (answered) return;
      answered = true;
      socket.write(answerFrame(lines.answer?.() ?? ''));
    });
    socket.on('close', () => {
      sockets.delete(socket);
      setTimeout(() => begin(lines), pause);
    });
  };
  for (const lines of strangers) begin(lines);
  return {
    async stop() {
      isRunning = false;
      for (const socket of sockets) socket.destroy();
      await delay(2 * pause);
    },
  };
}

/** Requests over HTTP. `options` and `body` are those of one try of one stranger. */
export function crowdOfRequests(
  count: number,
  options: (each: number) => RequestOptions,
  body: (each: number) => object,
): Crowd {
  let isRunning = true;
  const strangers = Array.from({ length: count }, async (_, each) => {
    while (isRunning) {
      await post(options(each), body(each));
      await delay(pause);
    }
  });
  return {
    async stop() {
      isRunning = false;
      // A password that waits for its check would still be checked.
      await Promise.all(strangers);
    },
  };
}

function post(options: RequestOptions, body: object): Promise<void> {
  const bytes = Buffer.from(JSON.stringify(body));
  const headers = {
    ...options.headers,
    'content-type': 'application/json',
    'content-length': bytes.length,
  };
  return new Promise((resolve) => {
    const sent = request({ ...options, method: 'POST', headers, agent: false }, (response) => {
      response.resume();
      response.once('close', resolve);
    });
    sent.once('error', () => resolve());
    sent.end(bytes);
  });
}
