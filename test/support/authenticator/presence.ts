/** How somebody touches a key: with a finger that it knows or not. Keys without a sensor do not care. */
export type Finger = 'right' | 'wrong';

export type WaitEnd = Finger | 'cancelled' | 'timeout';

/** The light of the key and the finger on it. */
export class Presence {
  autoTouch = false;
  /** Whether it asks for a touch now. */
  blinking = false;
  /** How often it began to. */
  blinkCount = 0;
  /** Waits that ended without a touch, by CANCEL or by loss of power. */
  cancelled = 0;
  private readonly ahead: Finger[] = [];
  private readonly watchers = new Set<() => void>();
  private waiting: ((end: WaitEnd) => void) | undefined;
  private lapse: NodeJS.Timeout | undefined;

  /** Ends the wait; without one, is there for the next. */
  touch(finger: Finger = 'right'): void {
    if (this.waiting === undefined) this.ahead.push(finger);
    else this.waiting(finger);
  }

  /** Takes one touch, for CTAP2: the command stays open until it comes. One waits at a time. */
  wait(within: number, signal: AbortSignal): Promise<WaitEnd> {
    const early = signal.aborted ? 'cancelled' : this.ahead.shift();
    if (early !== undefined) return Promise.resolve(early);
    return new Promise((resolve) => {
      const end = (how: WaitEnd) => {
        this.waiting = undefined;
        clearTimeout(timer);
        signal.removeEventListener('abort', cancel);
        if (how === 'cancelled') this.cancelled += 1;
        this.light(false);
        resolve(how);
      };
      const cancel = () => end('cancelled');
      const timer = setTimeout(() => end('timeout'), within);
      signal.addEventListener('abort', cancel);
      this.waiting = end;
      this.light(true);
      if (this.autoTouch) end('right');
    });
  }

  /** Takes one touch if there is one, for U2F: it is asked again and again, and goes dark when nobody does. */
  poll(): boolean {
    clearTimeout(this.lapse);
    const touched = this.ahead.shift() !== undefined || this.autoTouch;
    this.light(!touched);
    if (!touched) this.lapse = setTimeout(() => this.light(false), 1000);
    return touched;
  }

  /** Without power. */
  off(): void {
    clearTimeout(this.lapse);
    this.ahead.length = 0;
    this.waiting?.('cancelled');
    this.light(false);
  }

  /** Resolves when it blinks, or is dark. @throws when it does not within so many milliseconds */
  becomes(blinking: boolean, within: number): Promise<void> {
    if (this.blinking === blinking) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const done = () => {
        if (this.blinking !== blinking) return;
        clearTimeout(timer);
        this.watchers.delete(done);
        resolve();
      };
      const timer = setTimeout(() => {
        this.watchers.delete(done);
        reject(new Error(`after ${within} ms the key ${blinking ? 'does not blink' : 'still blinks'}`));
      }, within);
      this.watchers.add(done);
    });
  }

  private light(blinking: boolean): void {
    if (this.blinking === blinking) return;
    this.blinking = blinking;
    if (blinking) this.blinkCount += 1;
    for (const watcher of [...this.watchers]) watcher();
  }
}
