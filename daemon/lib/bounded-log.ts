import { limits } from '../limits.ts';
import type { Log, LogFields } from './log.ts';
import { networkKey } from './network-key.ts';
import { createRates, type Rate } from './rates.ts';

export interface BoundedLog extends Log {
  /** Writes what was counted; for the end of the program. */
  flush(): void;
}

interface Counted {
  readonly level: keyof Log;
  readonly event: string;
  readonly fields: LogFields;
  readonly count: number;
}

/**
 * The same log, with a bound on its lines: what a party (`uid`, `address`) causes, and what has one name. Further
 * lines are counted by name and party, and become one line each within a minute: the newest of them, with `count`.
 *
 * Invariants:
 * - whatever a uid or an address does, its lines are bounded, and so are those of all parties together;
 * - the first lines of each party are written at once, and each line is in one line or count.
 */
export function boundedLog(log: Log, monotonic: () => number): BoundedLog {
  const rates = createRates(monotonic, limits.logRates.parties);
  const counted = new Map<string, Counted>();
  let timer: NodeJS.Timeout | undefined;

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const lines = [...counted.values()];
    counted.clear();
    for (const { level, event, fields, count } of lines)
      log[level](event, count === 1 ? fields : { ...fields, count });
  };
  const at =
    (level: keyof Log) =>
    (event: string, fields: LogFields = {}): void => {
      const keys = keysOf(event, fields);
      if (keys.every(([key, rate]) => rates.allows(key, rate))) {
        for (const [key, rate] of keys) rates.add(key, rate);
        log[level](event, fields);
        return;
      }
      const own = JSON.stringify([level, event, partyOf(fields)?.[0]]);
      const key = counted.has(own) || counted.size < limits.logRates.counted ? own : `${level} ${event}`;
      counted.set(key, { level, event, fields, count: (counted.get(key)?.count ?? 0) + 1 });
      timer ??= setTimeout(flush, limits.logRates.interval).unref();
    };
  return { info: at('info'), warning: at('warning'), error: at('error'), flush };
}

function keysOf(event: string, fields: LogFields): readonly (readonly [string, Rate])[] {
  const party = partyOf(fields);
  const { ofEvent, ofAll } = limits.logRates;
  return party === undefined ? [[event, ofEvent]] : [party, [`all ${event}`, ofAll]];
}

function partyOf({ uid, address }: LogFields): readonly [string, Rate] | undefined {
  if (uid !== undefined) return [`uid ${uid}`, limits.logRates.ofUid];
  if (address !== undefined) return [`address ${networkKey(String(address))}`, limits.logRates.ofAddress];
  return undefined;
}
