import type { StoredAuditEvent } from '../daemon/api/views.ts';
import { createClient } from '../daemon/client/client.ts';
import type { Log } from '../daemon/lib/log.ts';
import type { Limits } from './limits.ts';
import { noticeOf } from './notices.ts';
import type { Position } from './position.ts';
import { runProgram } from './program.ts';
import { Queue } from './queue.ts';

export interface WatchOptions {
  readonly controlSocket: string;
  readonly program: readonly [string, ...string[]];
  readonly host: string;
  readonly position: Position;
  readonly limits: Limits;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Follows the events and runs the program for each notice, one at a time.
 *
 * Invariants:
 * - following never waits for the program;
 * - the saved position never passes an event that was not delivered, logged as given up, or counted as dropped;
 * - a program that fails or hangs delays later notices for a bounded time.
 */
export async function watch(options: WatchOptions): Promise<void> {
  const watcher = new Watcher(options);
  await Promise.all([watcher.follow(), watcher.tell()]);
  watcher.save();
}

class Watcher {
  readonly #o: WatchOptions;
  readonly #queue: Queue;
  #seen: number | undefined;
  #saved: number | undefined;
  #wake: () => void = () => undefined;

  constructor(options: WatchOptions) {
    this.#o = options;
    this.#queue = new Queue(options.limits.queue, options.host);
    this.#seen = options.position.read();
    this.#saved = this.#seen;
    options.signal.addEventListener('abort', () => this.#wake(), { once: true });
  }

  async follow(): Promise<void> {
    const { limits, log, signal, controlSocket } = this.#o;
    const client = createClient({ socket: controlSocket, signal });
    const saving = setInterval(() => this.save(), limits.save);
    let rest = limits.reconnect;
    while (!signal.aborted) {
      try {
        const from = this.#seen === undefined ? {} : { from: this.#seen };
        for await (const event of client.follow(from, (newest) => this.#opened(newest))) {
          rest = limits.reconnect;
          this.#heard(event);
        }
        log.info('follow-ended');
      } catch (error) {
        if (!signal.aborted) log.warning('follow-failed', { message: messageOf(error) });
      }
      await pause(rest, signal);
      rest = Math.min(2 * rest, limits.reconnectMost);
    }
    clearInterval(saving);
  }

  async tell(): Promise<void> {
    const { signal, limits } = this.#o;
    while (!signal.aborted) {
      const next = this.#queue.first();
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          if (signal.aborted) resolve();
        });
        continue;
      }
      const input = `${JSON.stringify(next.notice)}\n`;
      for (let attempt = 0; !signal.aborted; attempt += 1) {
        const outcome = await runProgram(this.#o.program, input, limits, signal);
        // It is delivered again after the restart.
        if (signal.aborted && outcome.kind === 'failed') return;
        const rest = limits.rests[attempt];
        if (outcome.kind === 'done') break;
        this.#o.log[rest === undefined ? 'error' : 'warning']('program-failed', {
          notice: next.notice.notice,
          place: next.seq,
          why: outcome.why,
          givenUp: rest === undefined,
        });
        if (rest === undefined) break;
        await pause(rest, signal);
        if (signal.aborted) return;
      }
      if (next.notice.notice === 'dropped')
        this.#o.log.warning('dropped', { count: next.notice.count, first: next.notice.first });
      this.#queue.shift();
      this.save();
    }
  }

  /** Saves the position up to which everything was delivered. */
  save(): void {
    if (this.#seen === undefined) return;
    const delivered = this.#queue.reportedUpTo(this.#seen);
    if (delivered === this.#saved) return;
    try {
      this.#o.position.write(delivered);
      this.#saved = delivered;
    } catch (error) {
      this.#o.log.error('position-not-written', { message: messageOf(error) });
    }
  }

  #opened(newest: number): void {
    const { log } = this.#o;
    if (this.#seen === undefined) log.info('following', { from: newest });
    else if (this.#seen > newest)
      log.warning('trail-shorter', {
        message: `events up to ${this.#seen} were delivered, but the trail ends at ${newest}: it was restored; continuing from there`,
      });
    else log.info('following', { from: this.#seen });
    if (this.#seen === undefined || this.#seen > newest) this.#seen = newest;
    this.save();
  }

  #heard(event: StoredAuditEvent): void {
    const name = noticeOf(event);
    if (name !== undefined) {
      this.#queue.push(name, event);
      this.#wake();
    }
    this.#seen = Math.max(this.#seen ?? 0, event.seq);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done, { once: true });
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
