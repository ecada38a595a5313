import type { StoredAuditEvent } from '../daemon/api/views.ts';
import type { Notice, NoticeName } from './notices.ts';

interface Waiting {
  /** Sequence number of the event; 0 for the state of the store, which has none. */
  readonly seq: number;
  readonly notice: Notice;
}

/** Notices waiting for the program, in order. Beyond the limit events are counted, and the count is delivered instead. */
export class Queue {
  readonly #most: number;
  readonly #host: string;
  readonly #waiting: Waiting[] = [];

  constructor(most: number, host: string) {
    this.#most = most;
    this.#host = host;
  }

  get length(): number {
    return this.#waiting.length;
  }

  first(): Waiting | undefined {
    return this.#waiting[0];
  }

  /** Removes the delivered notice. */
  shift(): void {
    this.#waiting.shift();
  }

  /** @returns whether it will be delivered; false if it was only counted */
  push(name: NoticeName, event: StoredAuditEvent): boolean {
    const { seq } = event;
    if (this.#waiting.length < this.#most) {
      this.#waiting.push({ seq, notice: { notice: name, host: this.#host, event } });
      return true;
    }
    const last = this.#waiting.at(-1);
    const isCount = last?.notice.notice === 'dropped';
    const before = isCount ? this.#waiting.pop() : undefined;
    const { count = 0, first = seq } = before?.notice ?? {};
    this.#waiting.push({
      seq: before?.seq ?? seq,
      notice: { notice: 'dropped', host: this.#host, count: count + 1, first, last: seq },
    });
    return false;
  }

  /** The last sequence number up to which all notices are delivered, given that events up to `seen` were received. */
  reportedUpTo(seen: number): number {
    const first = this.#waiting.find(({ seq }) => seq > 0);
    return first === undefined ? seen : Math.min(seen, first.seq - 1);
  }
}
