import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { type Cbor, decode, encode } from './cbor.ts';
import { broadcast, fragments, hid, reportLength } from './ctaphid.ts';

export interface Message {
  readonly channel: number;
  readonly command: number;
  readonly payload: Buffer;
}

/** The other end of a key's socket. */
export class HidClient {
  /** The status bytes of the keepalives that came. */
  readonly keepalives: number[] = [];
  private readonly socket: Socket;
  private readonly reports: Buffer[] = [];
  private pending = Buffer.alloc(0);
  private closed = false;
  private wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      this.pending = Buffer.concat([this.pending, chunk]);
      for (; this.pending.length >= reportLength; this.pending = this.pending.subarray(reportLength))
        this.reports.push(this.pending.subarray(0, reportLength));
      this.wake();
    });
    socket.on('close', () => {
      this.closed = true;
      this.wake();
    });
  }

  static async connect(path: string): Promise<HidClient> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new HidClient(socket);
  }

  close(): void {
    this.socket.destroy();
  }

  send(channel: number, command: number, payload: Buffer = Buffer.alloc(0)): void {
    this.raw(...fragments(channel, command, payload));
  }

  raw(...reports: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(reports));
  }

  /** @throws when the key hangs up first */
  async report(): Promise<Buffer> {
    for (;;) {
      const report = this.reports.shift();
      if (report !== undefined) return report;
      if (this.closed) throw new Error('the key hung up');
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  /** The next message that is not a keepalive. */
  async message(): Promise<Message> {
    const first = await this.report();
    const channel = first.readUInt32BE();
    const command = first.readUInt8(4) & 0x7f;
    const total = first.readUInt16BE(5);
    let payload = first.subarray(7, 7 + total);
    for (let sequence = 0; payload.length < total; sequence += 1) {
      const part = await this.report();
      if (part.readUInt8(4) !== sequence) throw new Error('a part out of order');
      payload = Buffer.concat([payload, part.subarray(5, 5 + total - payload.length)]);
    }
    if (command !== hid.keepalive) return { channel, command, payload };
    this.keepalives.push(payload.readUInt8());
    return this.message();
  }

  async ask(channel: number, command: number, payload?: Buffer): Promise<Message> {
    this.send(channel, command, payload);
    return this.message();
  }

  /** A channel of one's own. */
  async open(): Promise<{ readonly channel: number; readonly capabilities: number }> {
    const nonce = randomBytes(8);
    const { payload } = await this.ask(broadcast, hid.init, nonce);
    if (!payload.subarray(0, 8).equals(nonce)) throw new Error('another nonce');
    return { channel: payload.readUInt32BE(8), capabilities: payload.readUInt8(16) };
  }

  /** One CTAP2 command. */
  async ctap2(
    channel: number,
    command: number,
    parameters?: Cbor,
  ): Promise<{ readonly status: number; readonly value: Cbor | undefined }> {
    const rest = parameters === undefined ? Buffer.alloc(0) : encode(parameters);
    const { payload } = await this.ask(channel, hid.cbor, Buffer.concat([Buffer.of(command), rest]));
    const value = payload.length > 1 ? decode(payload.subarray(1)) : undefined;
    return { status: payload.readUInt8(), value };
  }
}
