import { setTimeout as delay } from 'node:timers/promises';
import type { Contestant, ModuleName } from './candidate.ts';
import type { Driver } from './driver.ts';
import { unlessItFails } from './measure.ts';

/** Lone logins, each after so many seconds in which its daemon has done nothing. */
export interface Rest {
  readonly module: ModuleName;
  readonly seconds: number;
  /** Milliseconds of those that were accepted. */
  readonly times: readonly number[];
}

export interface RestPlan {
  readonly seconds: number;
  readonly samples: number;
}

/** All of them run, and log in by turns, at equal distances: none finds the machine just woken by another. */
export async function measureRest(
  driver: Driver,
  contestants: readonly Contestant[],
  { seconds, samples }: RestPlan,
  progress: (text: string) => void,
): Promise<Rest[]> {
  const times = contestants.map((): number[] => []);
  const gap = (seconds * 1000) / contestants.length;
  for (const contestant of contestants) contestant.wake?.();
  let next = performance.now();
  // The first of each has not rested.
  for (let sample = -1; sample < samples; sample += 1) {
    progress(`lone logins after ${seconds} s, ${sample + 1} of ${samples}`);
    for (const [index, contestant] of contestants.entries()) {
      await delay(next - performance.now());
      next += gap;
      const time = await unlessItFails(progress, () => loneLogin(driver, contestant));
      if (sample >= 0 && time !== undefined) times[index]?.push(time);
    }
  }
  for (const contestant of contestants) contestant.rest?.();
  return contestants.map(({ module }, index) => ({ module, seconds, times: times[index] ?? [] }));
}

async function loneLogin(driver: Driver, contestant: Contestant): Promise<number | undefined> {
  const plans = contestant.plan(1, 1);
  const logins = await driver.run(contestant, plans);
  contestant.went?.(plans, logins);
  const [login] = logins;
  return login?.result === 0 ? (login.end - login.start) / 1e6 : undefined;
}
