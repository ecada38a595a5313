import type { Contestant, ModuleName } from './candidate.ts';
import type { Driver, Login } from './driver.ts';

/** One line of the table: a module with so many users and so many clients at once. */
export interface Row {
  readonly module: ModuleName;
  readonly users?: number;
  readonly clients: number;
  /** Milliseconds of the logins that succeeded; medians of the runs. */
  readonly p50: number;
  readonly p95: number;
  /** Logins that succeeded, a second. */
  readonly rate: number;
  /** In all runs together. Every code was right. */
  readonly refused: number;
  readonly logins: number;
  readonly runs: number;
  /** CPU seconds of the daemon for a thousand logins. */
  readonly cpu?: number;
}

export interface Cell {
  readonly contestant: Contestant;
  readonly clients: number;
}

export type Run = Omit<Row, 'module' | 'users' | 'clients'>;

export interface Extent {
  readonly repeats: number;
  /** About how long one run takes. */
  readonly seconds: number;
  /** Seconds. No new round of runs begins that would not end by then, but for the first. */
  readonly budget: number;
  readonly progress: (text: string) => void;
}

/**
 * All cells one after the other, then all of them again: what slows the machine down for a while slows down all
 * of them.
 */
export async function measure(driver: Driver, cells: readonly Cell[], extent: Extent): Promise<Row[]> {
  const { repeats, seconds, budget, progress } = extent;
  const begun = performance.now();
  progress('warming up');
  const paces = await warmUp(driver, cells, progress);
  const runs = cells.map((): Run[] => []);
  for (let round = 1, longest = 0; round <= repeats; round += 1) {
    const start = performance.now();
    if (round > 1 && start - begun + longest > budget * 1000) break;
    for (const [index, cell] of cells.entries()) {
      progress(`round ${round} of ${repeats}: ${nameOf(cell)}`);
      const logins = loginsEach(cell, paces.get(cell.contestant) ?? 1, seconds);
      const run = await unlessItFails(progress, () => runCell(driver, cell, logins));
      if (run !== undefined) runs[index]?.push(run);
    }
    longest = Math.max(longest, performance.now() - start);
  }
  return cells.map(({ contestant, clients }, index) => {
    const { module, users } = contestant;
    return { module, ...(users === undefined ? {} : { users }), clients, ...middle(runs[index] ?? []) };
  });
}

function nameOf({ contestant, clients }: Cell): string {
  const users = contestant.users === undefined ? '' : `, ${contestant.users} users`;
  return `${contestant.module}${users}, ${clients} ${clients === 1 ? 'client' : 'clients'}`;
}

/** @returns milliseconds that one login of one client takes, once warm */
async function warmUp(
  driver: Driver,
  cells: readonly Cell[],
  progress: (text: string) => void,
): Promise<Map<Contestant, number>> {
  const paces = new Map<Contestant, number>();
  for (const { contestant, clients } of cells) {
    await unlessItFails(progress, async () => {
      if (!paces.has(contestant)) {
        await runCell(driver, { contestant, clients: 1 }, contestant.warmUp);
        const { p50 } = await runCell(driver, { contestant, clients: 1 }, Math.ceil(contestant.warmUp / 10));
        paces.set(contestant, p50);
      }
      const each = Math.floor(contestant.warmUp / 4 / clients);
      if (clients > 1 && each > 0) await runCell(driver, { contestant, clients }, each);
    });
  }
  return paces;
}

/** What fails is said, and the rest is measured: undefined stands for a figure that there is not. */
export async function unlessItFails<T>(
  progress: (text: string) => void,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    progress(`not measured: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

export function loginsEach({ contestant, clients }: Cell, pace: number, seconds: number): number {
  const wanted = Math.round((seconds * 1000) / (pace * clients));
  // Nothing was accepted: what one takes is not known, and it is tried a few times all the same.
  if (!Number.isFinite(wanted)) return clients === 1 ? 3 : 1;
  // With fewer than three of a lone client there is no median.
  return Math.max(clients === 1 ? 3 : 1, Math.min(wanted, clients === 1 ? wanted : contestant.mostLogins));
}

/** What one run was, before it is summed up. */
export interface Done {
  readonly logins: readonly Login[];
  /** CPU seconds that the daemon has used for them. */
  readonly cpu?: number;
}

export async function runLogins(
  driver: Driver,
  { contestant, clients }: Cell,
  logins: number,
): Promise<Done> {
  const plans = contestant.plan(clients, logins);
  contestant.wake?.();
  const before = contestant.cpu?.();
  const done = await driver.run(contestant, plans);
  const after = contestant.cpu?.();
  contestant.went?.(plans, done);
  contestant.rest?.();
  return { logins: done, ...(before === undefined || after === undefined ? {} : { cpu: after - before }) };
}

async function runCell(driver: Driver, cell: Cell, logins: number): Promise<Run> {
  return runOf([await runLogins(driver, cell, logins)]);
}

/** Several runs of one client as one. */
export function runOf(parts: readonly Done[]): Run {
  const logins = parts.flatMap((part) => part.logins);
  const run = summary(logins);
  const cpus = parts.map(({ cpu }) => cpu).filter((cpu) => cpu !== undefined);
  if (cpus.length < parts.length) return run;
  return { ...run, cpu: (cpus.reduce((a, b) => a + b, 0) / (run.logins - run.refused)) * 1000 };
}

export function summary(logins: readonly Login[]): Run {
  const accepted = logins.filter(({ result }) => result === 0);
  const times = accepted.map(({ start, end }) => (end - start) / 1e6).toSorted((a, b) => a - b);
  const first = logins.reduce((least, { start }) => Math.min(least, start), Number.POSITIVE_INFINITY);
  const last = logins.reduce((most, { end }) => Math.max(most, end), 0);
  return {
    p50: quantile(times, 0.5),
    p95: quantile(times, 0.95),
    rate: (accepted.length / (last - first)) * 1e9,
    refused: logins.length - accepted.length,
    logins: logins.length,
    runs: 1,
  };
}

function middle(runs: readonly Run[]): Run {
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const cpus = runs.map(({ cpu }) => cpu).filter((cpu) => cpu !== undefined);
  return {
    p50: median(runs.map(({ p50 }) => p50).filter(Number.isFinite)),
    p95: median(runs.map(({ p95 }) => p95).filter(Number.isFinite)),
    rate: median(runs.map(({ rate }) => rate).filter(Number.isFinite)),
    refused: sum(runs.map(({ refused }) => refused)),
    logins: sum(runs.map(({ logins }) => logins)),
    runs: runs.length,
    ...(cpus.length === 0 ? {} : { cpu: median(cpus) }),
  };
}

export function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}

/** The value that a share of the sorted ones does not exceed (nearest rank). */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
