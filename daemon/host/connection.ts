import { constants } from 'node:os';
import { limits } from '../limits.ts';
import { type NativeConnections, readiness } from './addon.ts';

/** What the user of a connection hears of it. */
export interface ConnectionEvents {
  /** `chunk` is wiped afterwards. */
  data(chunk: Buffer): void;
  /** The other end sends nothing more. */
  ended(): void;
  /** Once, and last. */
  closed(): void;
}

/** Of all connections: what is read is handed on at once, and wiped. */
const received = Buffer.alloc(limits.connectionRead);
const { EAGAIN } = constants.errno;

/**
 * A connection of the addon's.
 *
 * Invariants:
 * - bytes leave in the order in which they were given, each once, or the connection is closed; what waits for the
 *   other end to read is bounded, in size, and in time once nothing more is sent;
 * - no byte that was read or sent stays in memory here;
 * - the descriptor is closed at once; `closed` comes later, never within a call of the user's.
 */
export class Connection {
  readonly peerUid: number;
  readonly #native: NativeConnections;
  /** -1: closed. */
  #descriptor: number;
  readonly #released: () => void;
  #events: ConnectionEvents | undefined;
  readonly #closed: (() => void)[] = [];
  /** What the kernel has not taken yet. */
  #unsent: Buffer | undefined;
  /** What happens once all is sent. */
  #after: 'nothing' | 'end' | 'close' = 'nothing';
  #whenEnded: (() => void) | undefined;
  #late: NodeJS.Timeout | undefined;

  /** @param released called as soon as the descriptor may be another connection's */
  constructor(native: NativeConnections, descriptor: number, peerUid: number, released: () => void) {
    this.#native = native;
    this.#descriptor = descriptor;
    this.peerUid = peerUid;
    this.#released = released;
  }

  get writable(): boolean {
    return this.#descriptor >= 0 && this.#after === 'nothing';
  }

  /** Bytes that wait for the other end to read. */
  get unsent(): number {
    return this.#unsent?.length ?? 0;
  }

  /** Without it, what is read is dropped. */
  listen(events: ConnectionEvents): void {
    this.#events = events;
  }

  /** It has no errors but the end. */
  on(event: 'close' | 'error', listener: () => void): void {
    if (event === 'close') this.#closed.push(listener);
  }

  /** Dropped once the connection has ended. @param bytes wiped */
  write(bytes: Buffer): void {
    if (!this.writable) bytes.fill(0);
    else if (this.#unsent === undefined) this.#send(bytes);
    else this.#keep(bytes);
  }

  /** The other end reads `answer` and then the end, and what it still sends is read. */
  end(answer: Buffer, then?: () => void): void {
    this.write(answer);
    if (!this.writable) return;
    this.#after = 'end';
    this.#whenEnded = then;
    if (this.#unsent === undefined) this.#sent();
  }

  /** It closes once what was written is sent; nothing more is read. */
  destroySoon(): void {
    if (this.#descriptor < 0 || this.#after === 'close') return;
    this.#after = 'close';
    if (this.#unsent === undefined) {
      this.destroy();
      return;
    }
    this.#native.await(this.#descriptor, readiness.writable);
    this.#late = setTimeout(() => this.destroy(), limits.unsentWait);
  }

  destroy(): void {
    if (this.#descriptor < 0) return;
    this.#native.close(this.#descriptor);
    this.#descriptor = -1;
    this.#unsent?.fill(0);
    this.#unsent = undefined;
    clearTimeout(this.#late);
    this.#released();
    queueMicrotask(() => {
      this.#events?.closed();
      for (const listener of this.#closed) listener();
    });
  }

  /** @param what it is ready for. What does not hold any more does no harm. */
  ready(what: number): void {
    if ((what & readiness.writable) !== 0 && this.#unsent !== undefined) this.#send(this.#unsent);
    const reads = this.#descriptor >= 0 && this.#after !== 'close';
    if ((what & readiness.readable) !== 0 && reads) this.#read();
  }

  /** Once at a time: others are ready too. */
  #read(): void {
    const count = this.#native.read(this.#descriptor, received);
    if (count === -EAGAIN) return;
    if (count > 0) {
      const chunk = received.subarray(0, count);
      try {
        this.#events?.data(chunk);
      } finally {
        chunk.fill(0);
      }
      return;
    }
    this.#events?.ended();
    if (count === 0) this.destroySoon();
    else this.destroy();
  }

  #send(bytes: Buffer): void {
    const waited = this.#unsent !== undefined;
    const count = this.#taken(bytes);
    const isOpen = this.#descriptor >= 0;
    this.#unsent = isOpen && count < bytes.length ? Buffer.from(bytes.subarray(count)) : undefined;
    bytes.fill(0);
    if (!isOpen) return;
    const waits = this.#unsent !== undefined;
    if (waits !== waited && this.#after !== 'close')
      this.#native.await(this.#descriptor, readiness.readable | (waits ? readiness.writable : 0));
    if (!waits) this.#sent();
  }

  /** @returns how many of them the kernel has */
  #taken(bytes: Buffer): number {
    let count = 0;
    while (count < bytes.length) {
      const more = this.#native.write(this.#descriptor, count === 0 ? bytes : bytes.subarray(count));
      if (more === -EAGAIN) break;
      if (more < 0) {
        this.destroy();
        break;
      }
      count += more;
    }
    return count;
  }

  /** Behind what waits already. */
  #keep(bytes: Buffer): void {
    const before = this.#unsent ?? Buffer.alloc(0);
    if (before.length + bytes.length > limits.unsentBytes) this.destroy();
    else this.#unsent = Buffer.concat([before, bytes]);
    before.fill(0);
    bytes.fill(0);
  }

  #sent(): void {
    if (this.#after === 'close') this.destroy();
    if (this.#after !== 'end') return;
    this.#native.endWriting(this.#descriptor);
    this.#whenEnded?.();
  }
}
