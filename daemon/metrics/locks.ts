import { setTimeout as pause } from 'node:timers/promises';
import { withDeadline } from '../lib/deadline.ts';
import { limits } from '../limits.ts';
import type { LockState } from '../policy/contract.ts';
import type { Store } from '../store/contract.ts';

export interface LockCount {
  readonly codes: number;
  readonly any: number;
  /** When it was counted; milliseconds since the epoch. */
  readonly at: number;
}

/** How many accounts are locked. */
export interface LockCounts {
  /** The last count that was finished; asks for a new one where that is old. */
  current(): Promise<LockCount | undefined>;
}

export interface LockCountOptions {
  readonly store: Pick<Store, 'accounts'>;
  readonly now: () => number;
  /** The longest `lockout.duration` of all realms: whose an account is is not asked. */
  readonly longest: () => number;
}

/**
 * Counts as accounts are read, in the background and only on request: 1 000 000 accounts are read in minutes and not
 * for each question.
 */
export function createLockCounts(options: LockCountOptions): LockCounts {
  let last: LockCount | undefined;
  let notBefore = 0;
  let counting: Promise<void> | undefined;

  const count = async (): Promise<void> => {
    const at = options.now();
    const began = performance.now();
    let codes = 0;
    let any = 0;
    for (let after: string | undefined; ; ) {
      const page = await options.store.accounts({
        limit: limits.scrubBatch,
        ...(after === undefined ? {} : { after }),
      });
      for (const { record } of page) {
        if (record === undefined) continue;
        if (record.lock.codesLockedAt !== undefined) codes += 1;
        if (isLocked(record.lock, options.longest(), at)) any += 1;
      }
      after = page.at(-1)?.account;
      if (after === undefined || page.length < limits.scrubBatch) break;
      await pause(limits.scrubPause, undefined, { ref: false });
    }
    last = { codes, any, at };
    const ended = performance.now();
    notBefore = ended + limits.lockCountRest * (ended - began);
  };

  return {
    async current() {
      if (performance.now() >= notBefore && counting === undefined)
        counting = count()
          .catch(() => undefined)
          .finally(() => {
            counting = undefined;
          });
      // A small store is counted while the request waits; for a large one the previous count is returned.
      if (counting !== undefined) await withDeadline(counting, limits.lockCountWait, () => undefined);
      return last;
    },
  };
}

function isLocked({ lockedAt }: LockState, longest: number, now: number): boolean {
  return lockedAt !== undefined && now < lockedAt + longest;
}
