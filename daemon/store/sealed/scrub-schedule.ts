import { limits } from '../../limits.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { StoreHealth } from '../contract.ts';
import type { Db, DbHandle } from './db.ts';
import { type FileCheck, scrubStore } from './scrub.ts';

export interface ScrubScheduleParts {
  readonly handle: DbHandle;
  readonly sealer: Sealer;
  readonly checkFiles: FileCheck;
  readonly now: () => number;
  /** Milliseconds until the first pass, and between passes. */
  readonly delay: number;
  readonly interval: number;
  /** Something is damaged; called for each finding. */
  readonly damaged: () => void;
}

/** Schedules the scrub, one pass at a time, and keeps the result of the last pass. */
export class ScrubSchedule {
  readonly #parts: ScrubScheduleParts;
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #report: StoreHealth['scrub'] = { read: 0, findings: [] };

  constructor(parts: ScrubScheduleParts) {
    this.#parts = parts;
    this.#schedule(parts.delay);
  }

  /** Includes the findings of the pass in progress. */
  report(): StoreHealth['scrub'] {
    return this.#report;
  }

  /** Runs a pass at full speed, after waiting for one in progress. @throws store-closed, store-unreadable */
  async run(): Promise<void> {
    await this.#running;
    await this.#pass(0);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#stop.abort();
  }

  #schedule(delay: number): void {
    if (this.#stop.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // If reopening the store interrupts a pass, the next pass replaces it.
      this.#pass(limits.scrubPause).catch(() => this.#schedule(this.#parts.delay));
    }, delay).unref();
  }

  async #pass(pause: number): Promise<void> {
    const pass = this.#parts.handle.use(async (db) => db).then((db) => this.#scrub(db, pause));
    this.#running = pass.catch(() => {});
    await pass;
    this.#schedule(this.#parts.interval);
  }

  async #scrub(db: Db, pause: number): Promise<void> {
    const { sealer, checkFiles, now, damaged } = this.#parts;
    const findings: string[] = [];
    let read = 0;
    const before = this.#report;
    const show = (): void => {
      this.#report = { ...before, read, findings: [...before.findings, ...findings] };
    };
    await scrubStore({
      db,
      sealer,
      checkFiles,
      pause,
      signal: this.#stop.signal,
      found: (finding) => {
        damaged();
        if (findings.length < limits.scrubFindings) findings.push(finding);
        show();
      },
      read: (records) => {
        read += records;
        show();
      },
    });
    this.#report = { lastFinished: now(), read, findings };
  }
}
