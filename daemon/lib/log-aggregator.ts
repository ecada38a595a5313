import type { Log } from './log.ts';

/** Counts what must not be logged one by one: one aggregated log line, nothing in the store. */
export interface LogAggregator {
  add(source: string): void;
  /** Writes what is left; for the daemon's end. */
  flush(): void;
}

/** Distinct sources are counted up to here, so that the tally stays small. */
const mostSources = 1_000;

/** @param event name of the log line; @param intervalMs how often at the most it is written */
export function createLogAggregator(log: Log, event: string, intervalMs: number): LogAggregator {
  let count = 0;
  let timer: NodeJS.Timeout | undefined;
  const sources = new Set<string>();
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (count === 0) return;
    log.warning(event, {
      count,
      sources: sources.size,
      ...(sources.size === 1 ? { source: [...sources][0] } : {}),
    });
    count = 0;
    sources.clear();
  };
  return {
    add(source) {
      count += 1;
      if (sources.size < mostSources) sources.add(source);
      timer ??= setTimeout(flush, intervalMs).unref();
    },
    flush,
  };
}
