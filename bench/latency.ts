import { setTimeout as delay } from 'node:timers/promises';
import type { Contestant, ModuleName } from './candidate.ts';
import type { Driver } from './driver.ts';
import { type Done, type Run, runLogins, runOf, unlessItFails } from './measure.ts';

/** One client, one login after the other: a figure for each round. */
export interface Latency {
  readonly module: ModuleName;
  /** The first 200 logins after a start. */
  readonly cold: readonly (Run | undefined)[];
  readonly warm: readonly (Run | undefined)[];
}

export interface LatencyExtent {
  readonly rounds: number;
  /** In a round of warm logins. */
  readonly blocks: number;
  readonly progress: (text: string) => void;
}

const block = 50;
const coldBlocks = 4;
/** Between a start and the first login: what a daemon prepares after its sockets listen is done by then. */
const settle = 1_000;

/**
 * All in blocks of 50, by turns: what slows the machine down slows down all of them. Each block is a process of its
 * own, because pam_google_authenticator slows down whatever runs in its process after it.
 */
export async function measureLatency(
  driver: Driver,
  contestants: readonly Contestant[],
  { rounds, blocks, progress }: LatencyExtent,
): Promise<Latency[]> {
  const cold = contestants.map((): (Run | undefined)[] => []);
  const warm = contestants.map((): (Run | undefined)[] => []);
  for (let round = 1; round <= rounds; round += 1) {
    // V8 compiles no two processes alike, so each round has new ones.
    progress(`cold, round ${round} of ${rounds}`);
    for (const contestant of contestants) await unlessItFails(progress, () => restart(contestant));
    const first = await byTurns(driver, contestants, coldBlocks, progress);
    for (const [index, run] of first.entries()) cold[index]?.push(run);
    progress(`warm, round ${round} of ${rounds}`);
    for (const contestant of contestants)
      await unlessItFails(progress, () => runLogins(driver, { contestant, clients: 1 }, contestant.warmUp));
    const later = await byTurns(driver, contestants, blocks, progress);
    for (const [index, run] of later.entries()) warm[index]?.push(run);
  }
  return contestants.map(({ module }, index) => ({
    module,
    cold: cold[index] ?? [],
    warm: warm[index] ?? [],
  }));
}

async function restart(contestant: Contestant): Promise<void> {
  if (contestant.restart === undefined) return;
  await contestant.restart();
  await delay(settle);
  contestant.rest?.();
}

async function byTurns(
  driver: Driver,
  contestants: readonly Contestant[],
  blocks: number,
  progress: (text: string) => void,
): Promise<(Run | undefined)[]> {
  const parts = contestants.map((): Done[] => []);
  for (let turn = 0; turn < blocks; turn += 1) {
    for (let place = 0; place < contestants.length; place += 1) {
      const index = (turn + place) % contestants.length;
      const contestant = contestants[index];
      if (contestant === undefined) continue;
      const done = await unlessItFails(progress, () => runLogins(driver, { contestant, clients: 1 }, block));
      if (done !== undefined) parts[index]?.push(done);
    }
  }
  return parts.map((done) => (done.length === 0 ? undefined : runOf(done)));
}

/** Round by round, one figure of one module divided by that of another: what the machine did then is in both. */
export function ratios(
  runs: readonly (Run | undefined)[],
  others: readonly (Run | undefined)[],
  figure: (run: Run) => number | undefined,
): number[] {
  return runs
    .map((run, round) => {
      const other = others[round];
      if (run === undefined || other === undefined) return Number.NaN;
      return (figure(run) ?? Number.NaN) / (figure(other) ?? Number.NaN);
    })
    .filter(Number.isFinite);
}
