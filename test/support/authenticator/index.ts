import { createServer, type Server, type Socket } from 'node:net';
import type { Credential } from './credential.ts';
import { answerCtap2, ctap2Command } from './ctap2.ts';
import { CtapHid, capability, hid, reportLength } from './ctaphid.ts';
import { Device } from './device.ts';
import { hostOf } from './host.ts';
import type { AuthenticatorOptions, Logged, Misbehaviour } from './options.ts';
import type { Finger } from './presence.ts';
import { answerU2f, u2fInstruction } from './u2f.ts';

export { newAttestationCertificate, newRoot } from './certificate.ts';
export {
  type Attestation,
  type Credential,
  getAssertion,
  makeCredential,
  sha256,
} from './credential.ts';
export { type CoseAlgorithm, eddsa, es256, rs256 } from './keys.ts';
export type { AuthenticatorOptions, Logged, Misbehaviour } from './options.ts';

/** A security key made of software: CTAPHID reports of 64 bytes each way, over a Unix socket. */
export interface Authenticator {
  readonly name: string;
  readonly socket: string;
  /** Ends the wait for a touch; called ahead of one, is taken by the next. */
  touch(finger?: Finger): void;
  /** Touches by itself from now on, or no more. */
  autoTouch: boolean;
  readonly blinking: boolean;
  /** How often it began to blink. */
  readonly blinkCount: number;
  /** Resolves when it blinks. @throws after so many milliseconds, 10 000 without a word */
  blinks(within?: number): Promise<void>;
  /** Resolves when it does not blink. */
  rests(within?: number): Promise<void>;
  /** Commands that waited for a touch and were cancelled instead, by CANCEL or by loss of power. */
  readonly cancelled: number;
  /** Every command that was seen, in order. */
  readonly requests: readonly Logged[];
  /** What it holds: may be looked at, changed and taken out. */
  credentials: Credential[];
  /** Of the last answer, in the counter mode `global`: may be set back. */
  counter: number;
  readonly pinRetries: number;
  misbehaviour: Misbehaviour;
  /** Without power: closes what is open, also amid a transaction, and removes the socket. */
  unplug(): Promise<void>;
  plug(): Promise<void>;
  /** For good. */
  stop(): Promise<void>;
}

/** Credentials as another key would have them: its counters go their own way. */
export function copyOf(credentials: readonly Credential[]): Credential[] {
  return credentials.map((credential) => ({ ...credential }));
}

export async function startAuthenticator(options: AuthenticatorOptions): Promise<Authenticator> {
  const authenticator = new SocketAuthenticator(options);
  await authenticator.plug();
  return authenticator;
}

class SocketAuthenticator implements Authenticator {
  readonly name: string;
  readonly socket: string;
  private readonly device: Device;
  private readonly hid: CtapHid;
  private readonly hosts = new Set<Socket>();
  private server: Server | undefined;

  constructor(options: AuthenticatorOptions) {
    this.name = options.name ?? 'Sallyport test key';
    this.socket = options.socket;
    const device = new Device(options);
    this.device = device;
    const kind = options.kind ?? 'both';
    this.hid = new CtapHid({
      capabilities:
        capability.wink | (kind === 'u2f' ? 0 : capability.cbor) | (kind === 'fido2' ? capability.noMsg : 0),
      misbehaviour: () => device.misbehaviour,
      opens,
      seen: (command) => device.log({ command }),
      async handle(command, payload, transaction) {
        if (command === hid.cbor && kind !== 'u2f') return answerCtap2(device, payload, transaction);
        if (command === hid.msg && kind !== 'fido2') return answerU2f(device, payload);
        return undefined;
      },
    });
  }

  get autoTouch(): boolean {
    return this.device.presence.autoTouch;
  }

  set autoTouch(value: boolean) {
    this.device.presence.autoTouch = value;
    if (value && this.blinking) this.touch();
  }

  get blinking(): boolean {
    return this.device.presence.blinking;
  }

  get blinkCount(): number {
    return this.device.presence.blinkCount;
  }

  get cancelled(): number {
    return this.device.presence.cancelled;
  }

  get requests(): readonly Logged[] {
    return this.device.requests;
  }

  get credentials(): Credential[] {
    return this.device.credentials;
  }

  set credentials(credentials: Credential[]) {
    this.device.credentials = credentials;
  }

  get counter(): number {
    return this.device.counter;
  }

  set counter(value: number) {
    this.device.counter = value;
  }

  get pinRetries(): number {
    return this.device.pin.retries;
  }

  get misbehaviour(): Misbehaviour {
    return this.device.misbehaviour;
  }

  set misbehaviour(misbehaviour: Misbehaviour) {
    this.device.misbehaviour = misbehaviour;
  }

  touch(finger?: Finger): void {
    this.device.presence.touch(finger);
  }

  blinks(within = 60_000): Promise<void> {
    return this.device.presence.becomes(true, within);
  }

  rests(within = 60_000): Promise<void> {
    return this.device.presence.becomes(false, within);
  }

  async plug(): Promise<void> {
    if (this.server !== undefined) return;
    const server = createServer((socket) => this.connected(socket));
    this.server = server;
    this.device.powerUp();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ path: this.socket, readableAll: true, writableAll: true }, resolve);
    });
  }

  async unplug(): Promise<void> {
    const server = this.server;
    if (server === undefined) return;
    this.server = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const host of this.hosts) host.destroy();
    this.hosts.clear();
    this.hid.off();
    this.device.presence.off();
    await closed;
  }

  stop(): Promise<void> {
    return this.unplug();
  }

  private connected(socket: Socket): void {
    const host = hostOf(socket);
    let pending = Buffer.alloc(0);
    this.hosts.add(socket);
    socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= reportLength) {
        this.hid.report(host, pending.subarray(0, reportLength));
        pending = pending.subarray(reportLength);
      }
    });
    socket.on('error', () => undefined);
    socket.on('close', () => this.hosts.delete(socket));
  }
}

/** Whether a command is part of opening a key. */
function opens(command: number, payload: Buffer): boolean {
  if (command === hid.cbor) return payload[0] === ctap2Command.getInfo;
  return command === hid.msg && payload[1] === u2fInstruction.version;
}
