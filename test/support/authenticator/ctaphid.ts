import { randomBytes } from 'node:crypto';
import type { Misbehaviour } from './options.ts';

export const reportLength = 64;
export const hid = {
  ping: 0x01,
  msg: 0x03,
  init: 0x06,
  wink: 0x08,
  cbor: 0x10,
  cancel: 0x11,
  keepalive: 0x3b,
  error: 0x3f,
} as const;
export const hidError = {
  invalidCommand: 0x01,
  invalidLength: 0x03,
  invalidSequence: 0x04,
  timeout: 0x05,
  channelBusy: 0x06,
  invalidChannel: 0x0b,
} as const;
export const capability = { wink: 0x01, cbor: 0x04, noMsg: 0x08 } as const;
export const broadcast = 0xffff_ffff;

const longest = 57 + 128 * 59;
const keepaliveEvery = 100;
const assemblyWithin = 3000;

/** A host: what reports are sent to. Resolves when it took them. */
export type Host = (bytes: Buffer) => Promise<void>;

/** What the commands see of the transaction that they are part of. */
export interface Transaction {
  /** Aborted by CANCEL, a new INIT on the channel, and loss of power. */
  readonly signal: AbortSignal;
  /** Says to the host what it waits for, at once and every 100 ms. */
  status(waitsFor: 'processing' | 'touch'): void;
}

export interface HidOptions {
  readonly capabilities: number;
  misbehaviour(): Misbehaviour;
  /** Whether a command is one of those that open a key. */
  opens(command: number, payload: Buffer): boolean;
  /** Undefined: not a command of this key. */
  handle(command: number, payload: Buffer, transaction: Transaction): Promise<Buffer | undefined>;
  seen(command: 'INIT' | 'CANCEL' | 'PING' | 'WINK'): void;
}

interface Open {
  readonly host: Host;
  readonly channel: number;
  readonly command: number;
  readonly total: number;
  readonly parts: Buffer[];
  length: number;
  next: number;
  readonly abort: AbortController;
  readonly timer: NodeJS.Timeout;
  /** All of it is here. */
  running: boolean;
}

/** A message as reports of 64 bytes. */
export function fragments(channel: number, command: number, payload: Buffer): Buffer[] {
  const reports: Buffer[] = [];
  for (let at = 0, sequence = -1; sequence < 0 || at < payload.length; sequence += 1) {
    const report = Buffer.alloc(reportLength);
    report.writeUInt32BE(channel);
    if (sequence < 0) {
      report.writeUInt8(0x80 | command, 4);
      report.writeUInt16BE(payload.length, 5);
    } else {
      report.writeUInt8(sequence, 4);
    }
    at += payload.copy(report, sequence < 0 ? 7 : 5, at);
    reports.push(report);
  }
  return reports;
}

/** CTAPHID: channels, messages in parts, one transaction at a time, keepalives. */
export class CtapHid {
  private readonly options: HidOptions;
  private readonly channels = new Set<number>();
  private nextChannel = randomBytes(2).readUInt16BE() + 1;
  private open: Open | undefined;

  constructor(options: HidOptions) {
    this.options = options;
  }

  /** One report of a host. */
  report(host: Host, report: Buffer): void {
    const channel = report.readUInt32BE();
    const type = report.readUInt8(4);
    const fault =
      type < 0x80
        ? this.continued(channel, type, report.subarray(5))
        : this.begun(host, channel, type & 0x7f, report);
    if (fault !== undefined) this.fail(host, channel, fault);
  }

  /** Loss of power: nothing is open any more, and no channel is known. */
  off(): void {
    this.end()?.abort.abort();
    this.channels.clear();
  }

  private begun(host: Host, channel: number, command: number, report: Buffer): number | undefined {
    const total = report.readUInt16BE(5);
    const payload = Buffer.from(report.subarray(7, 7 + total));
    if (command === hid.init) return this.init(host, channel, payload);
    if (!this.channels.has(channel)) return hidError.invalidChannel;
    if (command === hid.cancel) return this.cancel(channel);
    if (this.open !== undefined && (this.open.channel !== channel || this.open.running)) {
      return hidError.channelBusy;
    }
    if (this.end() !== undefined) return hidError.invalidSequence;
    if (total > longest) return hidError.invalidLength;
    const timer = setTimeout(() => this.late(), assemblyWithin);
    const abort = new AbortController();
    const { length } = payload;
    const parts = [payload];
    this.open = { host, channel, command, total, parts, length, next: 0, abort, timer, running: false };
    this.run(this.open);
    return undefined;
  }

  private continued(channel: number, sequence: number, data: Buffer): number | undefined {
    const open = this.open;
    // What belongs to nothing is passed over.
    if (open === undefined || open.channel !== channel || open.running) return undefined;
    if (sequence !== open.next) {
      this.end();
      return hidError.invalidSequence;
    }
    const part = Buffer.from(data.subarray(0, open.total - open.length));
    open.parts.push(part);
    open.length += part.length;
    open.next += 1;
    this.run(open);
    return undefined;
  }

  private late(): void {
    const open = this.end();
    if (open !== undefined) this.fail(open.host, open.channel, hidError.timeout);
  }

  /** Leaves the transaction, whichever it is. */
  private end(): Open | undefined {
    const open = this.open;
    clearTimeout(open?.timer);
    this.open = undefined;
    return open;
  }

  private init(host: Host, channel: number, nonce: Buffer): number | undefined {
    this.options.seen('INIT');
    if (nonce.length !== 8) return hidError.invalidLength;
    if (channel !== broadcast && !this.channels.has(channel)) return hidError.invalidChannel;
    // On a channel that is there, it leaves what was going on.
    if (this.open?.channel === channel) this.end()?.abort.abort();
    const given = channel === broadcast ? this.nextChannel++ : channel;
    this.channels.add(given);
    const answer = Buffer.alloc(17);
    nonce.copy(answer);
    answer.writeUInt32BE(given, 8);
    answer.set([2, 1, 0, 0, this.options.capabilities], 12);
    void this.answer(host, channel, hid.init, answer, this.options.misbehaviour().atOpen ?? false);
    return undefined;
  }

  private cancel(channel: number): undefined {
    this.options.seen('CANCEL');
    if (this.open?.channel === channel && this.open.running) this.open.abort.abort();
  }

  private fail(host: Host, channel: number, code: number): void {
    for (const report of fragments(channel, hid.error, Buffer.of(code))) void host(report);
  }

  private run(open: Open): void {
    if (open.length < open.total) return;
    clearTimeout(open.timer);
    open.running = true;
    void this.perform(open, Buffer.concat(open.parts));
  }

  private async perform(open: Open, payload: Buffer): Promise<void> {
    const { misbehaviour, opens } = this.options;
    const spoils = () => !opens(open.command, payload) || (misbehaviour().atOpen ?? false);
    const keepalive = new Keepalive(open, () => (spoils() ? misbehaviour() : {}));
    try {
      const answer = await this.dispatch(open, payload, keepalive);
      keepalive.stop();
      // It was left by INIT, or has no power any more.
      if (this.open !== open) return;
      if (answer === undefined) this.fail(open.host, open.channel, hidError.invalidCommand);
      else await this.answer(open.host, open.channel, open.command, answer, spoils());
    } finally {
      keepalive.stop();
      if (this.open === open) this.end();
    }
  }

  private async dispatch(open: Open, payload: Buffer, keepalive: Keepalive): Promise<Buffer | undefined> {
    if (open.command === hid.ping) this.options.seen('PING');
    if (open.command === hid.ping) return payload;
    if (open.command === hid.wink) this.options.seen('WINK');
    if (open.command === hid.wink) return Buffer.alloc(0);
    const status = (waitsFor: 'processing' | 'touch') => keepalive.say(waitsFor);
    return this.options.handle(open.command, payload, { signal: open.abort.signal, status });
  }

  private async answer(host: Host, channel: number, command: number, answer: Buffer, spoils: boolean) {
    const { rubbish, silentHang, truncatedReports } = spoils ? this.options.misbehaviour() : {};
    if (silentHang) return;
    const good = fragments(channel, command, answer);
    let reports = good;
    if (rubbish === 'reports') reports = good.map(() => randomBytes(reportLength));
    if (rubbish === 'length') good[0]?.writeUInt16BE(0xffff, 5);
    if (rubbish === 'sequence') {
      reports = fragments(channel, command, Buffer.concat([answer, Buffer.alloc(200)]));
      reports[1]?.writeUInt8(9, 4);
    }
    if (rubbish === 'command') reports = fragments(channel, hid.ping, answer);
    if (rubbish === 'cbor') reports = fragments(channel, command, Buffer.from('00a301667061636b6564', 'hex'));
    if (rubbish === 'types') reports = fragments(channel, command, Buffer.from('00a301010201036161', 'hex'));
    if (rubbish === 'empty') reports = fragments(channel, command, Buffer.alloc(0));
    // All at once, so that a host that comes right after sees the transaction ended.
    if (this.open?.channel === channel) this.end();
    const bytes = Buffer.concat(reports);
    await host(truncatedReports ? bytes.subarray(0, reportLength / 2) : bytes);
  }
}

class Keepalive {
  private readonly open: Open;
  private readonly misbehaviour: () => Misbehaviour;
  private code = 1;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private flooding = false;

  constructor(open: Open, misbehaviour: () => Misbehaviour) {
    this.open = open;
    this.misbehaviour = misbehaviour;
  }

  say(waitsFor: 'processing' | 'touch'): void {
    // U2F has none: its hosts ask again.
    if (this.open.command !== hid.cbor) return;
    this.code = waitsFor === 'touch' ? 2 : 1;
    clearInterval(this.timer);
    if (this.stopped) return;
    this.timer = setInterval(() => void this.send(), keepaliveEvery);
    void this.send();
    if (this.misbehaviour().floodKeepalives) void this.flood();
  }

  stop(): void {
    this.stopped = true;
    clearInterval(this.timer);
  }

  private async send(): Promise<void> {
    const { silentHang, truncatedReports } = this.misbehaviour();
    if (silentHang || truncatedReports) return;
    const { host, channel } = this.open;
    await host(Buffer.concat(fragments(channel, hid.keepalive, Buffer.of(this.code))));
  }

  private async flood(): Promise<void> {
    if (this.flooding) return;
    this.flooding = true;
    while (!this.stopped && this.misbehaviour().floodKeepalives) {
      await this.send();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.flooding = false;
  }
}
