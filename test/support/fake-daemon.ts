import net from 'node:net';

/**
 * The daemon's side of docs/reference/protocol.md as a script, written from the page and independent of the product, so
 * that it can also violate the protocol.
 */

export const pam = {
  success: 0,
  serviceErr: 3,
  systemErr: 4,
  permDenied: 6,
  authErr: 7,
  authinfoUnavail: 9,
  maxtries: 11,
  ignore: 25,
} as const;

export function field(tag: number, bytes: Buffer | string): Buffer {
  const value = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes);
  const head = Buffer.from([tag, value.length >> 8, value.length & 0xff]);
  return Buffer.concat([head, value]);
}

/** The whole frame, length included. */
export function frame(type: number, ...fields: readonly Buffer[]): Buffer {
  const body = Buffer.concat([Buffer.from([type]), ...fields]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

export function info(text: string | Buffer): Buffer {
  return frame(0x11, field(0x30, text));
}

export function error(text: string): Buffer {
  return frame(0x12, field(0x30, text));
}

const styles = { hidden: 0, shown: 1, terminal: 2 } as const;

export function prompt(text = 'Code: ', style: keyof typeof styles = 'hidden'): Buffer {
  return frame(0x13, field(0x30, text), field(0x31, Buffer.from([styles[style]])));
}

export function wait(): Buffer {
  return frame(0x14);
}

export function result(code: number, strip = 0): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt32BE(code, 0);
  bytes.writeUInt16BE(strip, 4);
  return frame(0x15, field(0x32, bytes.subarray(0, 4)), field(0x33, bytes.subarray(4)));
}

export function withdraw(): Buffer {
  return frame(0x16);
}

export interface ReceivedFrame {
  readonly type: 'hello' | 'answer' | 'cancel' | 'withdrawn';
  /** By tag; the tags of HELLO stand in docs/reference/protocol.md. */
  readonly fields: ReadonlyMap<number, Buffer>;
}

const typeNames: Readonly<Record<number, ReceivedFrame['type']>> = {
  1: 'hello',
  2: 'answer',
  3: 'cancel',
  4: 'withdrawn',
};

function decode(body: Buffer): ReceivedFrame {
  const type = typeNames[body.readUInt8(0)];
  if (type === undefined) throw new Error(`the module sent a frame of type ${body.readUInt8(0)}`);
  const fields = new Map<number, Buffer>();
  for (let at = 1; at < body.length; ) {
    const tag = body.readUInt8(at);
    const end = at + 3 + body.readUInt16BE(at + 1);
    if (end > body.length || fields.has(tag)) throw new Error(`the module sent a broken ${type}`);
    fields.set(tag, body.subarray(at + 3, end));
    at = end;
  }
  return { type, fields };
}

/** One connection, as a script sees it. */
export class Peer {
  readonly socket: net.Socket;
  /** Every frame that came, in order. */
  readonly received: ReceivedFrame[] = [];
  #buffer = Buffer.alloc(0);
  #taken = 0;
  #ended = false;
  #wake: () => void = () => {};

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', () => {});
    for (const event of ['end', 'close'] as const) {
      socket.on(event, () => {
        this.#ended = true;
        this.#wake();
      });
    }
  }

  /** The next frame; undefined at the end of the stream. */
  async next(): Promise<ReceivedFrame | undefined> {
    while (this.#taken === this.received.length && !this.#ended) await this.#change();
    return this.received[this.#taken] === undefined ? undefined : this.received[this.#taken++];
  }

  /** Waits until the module has closed. */
  async end(): Promise<void> {
    while (!this.#ended) await this.#change();
  }

  send(...frames: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  close(): void {
    this.socket.end();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #take(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    while (this.#buffer.length >= 4) {
      const end = 4 + this.#buffer.readUInt32BE(0);
      if (this.#buffer.length < end) break;
      this.received.push(decode(this.#buffer.subarray(4, end)));
      this.#buffer = this.#buffer.subarray(end);
    }
    this.#wake();
  }
}

/** What to do with a connection. Throwing fails the test that stops the daemon. */
export type Script = (peer: Peer) => Promise<void> | void;

export interface FakeDaemon {
  readonly peers: readonly Peer[];
  /** Closes everything; throws what a script threw. */
  stop(): Promise<void>;
}

/** Listens on `socket`, to which all users may connect. */
export async function startFakeDaemon(socket: string, script: Script): Promise<FakeDaemon> {
  const peers: Peer[] = [];
  const scripts: Promise<void>[] = [];
  const server = net.createServer({ allowHalfOpen: true }, (connection) => {
    const peer = new Peer(connection);
    peers.push(peer);
    const running = Promise.resolve(script(peer));
    running.catch(() => connection.destroy());
    scripts.push(running);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path: socket, readableAll: true, writableAll: true }, resolve);
  });
  return {
    peers,
    async stop() {
      for (const peer of peers) peer.socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await Promise.all(scripts);
    },
  };
}

/** Waits for HELLO, then sends `frames`, and closes once the module has. */
export function say(...frames: readonly Buffer[]): Script {
  return async (peer) => {
    await peer.next();
    peer.send(...frames);
    await peer.end();
    peer.close();
  };
}

/** Waits for HELLO, asks once, sends `frames` on the answer. */
export function askThen(...frames: readonly Buffer[]): Script {
  return async (peer) => {
    await peer.next();
    peer.send(wait(), prompt());
    await peer.next();
    peer.send(...frames);
    await peer.end();
    peer.close();
  };
}
