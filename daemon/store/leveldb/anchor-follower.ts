import { storeError } from '../../sealing/error.ts';
import type { Anchor } from './anchor.ts';

/**
 * Updates the anchor in the background, outside the commit path; it is at most `interval` and one write behind.
 * A failure is reported once; afterwards nothing more is written.
 */
export class AnchorFollower {
  readonly #anchor: Anchor;
  readonly #interval: number;
  readonly #failed: (error: unknown) => void;
  #latest: number;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #stopped = false;

  constructor(anchor: Anchor, interval: number, failed: (error: unknown) => void) {
    this.#anchor = anchor;
    this.#interval = interval;
    this.#failed = failed;
    this.#latest = anchor.commit;
  }

  /** The last commit number written to the file. */
  get commit(): number {
    return this.#anchor.commit;
  }

  /** @param commit MUST be durable */
  note(commit: number): void {
    this.#latest = commit;
    if (this.#stopped || this.#timer || this.#writing) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#writing = this.#write();
    }, this.#interval);
    this.#timer.unref();
  }

  /** Stops all background writes; resolves when none is in progress. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#writing;
  }

  /** After stop(): brings the file up to date. `clean`: the store is at exactly this commit. */
  finish(commit: number, clean: boolean): void {
    this.#anchor.writeNow(commit, clean);
    // Both slots, so that losing either one leaves an equally exact one.
    this.#anchor.writeNow(commit, clean);
  }

  /** Rewrites both slots with the current master key. @throws store-unwritable if that fails */
  async rewrite(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    if (this.#stopped) throw storeError('store-unwritable', 'The anchor cannot be written at present.');
    this.finish(this.#latest, false);
  }

  close(): void {
    this.#anchor.close();
  }

  async #write(): Promise<void> {
    try {
      await this.#anchor.write(this.#latest);
    } catch (error) {
      this.#stopped = true;
      this.#failed(error);
    } finally {
      this.#writing = undefined;
    }
    if (this.#latest !== this.#anchor.commit) this.note(this.#latest);
  }
}
