import type { FirstTouch } from './first-touch.ts';
import type { Goal } from './goals.ts';
import type { Latency } from './latency.ts';
import { median, type Row, type Run } from './measure.ts';
import type { Rest } from './rest.ts';
import type { Verification } from './verification.ts';

/** Tables in Markdown, so that they can be put into a document as they are. */
export function rowTable(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.module,
    row.users === undefined ? '' : number(row.users, 0),
    String(row.clients),
    number(row.p50, 2),
    number(row.p95, 2),
    number(row.rate, 0),
    row.refused === 0 ? '0' : `${row.refused} of ${row.logins}`,
    row.cpu === undefined ? '' : number(row.cpu, 2),
  ]);
  return table(
    ['module', 'users', 'clients', 'p50 ms', 'p95 ms', 'ok/s', 'right codes refused', 'daemon CPU s / 1000'],
    cells,
  );
}

export function latencyTable(latencies: readonly Latency[]): string {
  const middle = (runs: Latency['warm'], figure: (run: Run) => number | undefined): number =>
    median(runs.map((run) => (run && figure(run)) ?? Number.NaN).filter(Number.isFinite));
  const refusedOf = (runs: Latency['warm']): number =>
    runs.reduce((sum, run) => sum + (run?.refused ?? 0), 0);
  const cells = latencies.map(({ module, cold, warm }) => {
    const times = [cold, warm].flatMap((runs) => [
      middle(runs, ({ p50 }) => p50),
      middle(runs, ({ p95 }) => p95),
    ]);
    const cpus = [cold, warm].map((runs) => middle(runs, ({ cpu }) => cpu));
    return [
      module,
      ...times.map((time) => number(time, 2)),
      ...cpus.map((cpu) => (Number.isFinite(cpu) ? number(cpu, 2) : '')),
      number(refusedOf(cold) + refusedOf(warm), 0),
    ];
  });
  const times = ['cold p50 ms', 'p95', 'warm p50 ms', 'p95'];
  return table(['one client', ...times, 'daemon CPU ms, cold', 'warm', 'refused'], cells);
}

export function restTable(rests: readonly Rest[]): string {
  const cells = rests.map(({ module, seconds, times }) => [
    module,
    String(seconds),
    number(median(times), 1),
    number(Math.min(...times), 1),
    number(Math.max(...times), 1),
    String(times.length),
  ]);
  return table(['a lone login', 'after s', 'p50 ms', 'fastest', 'slowest', 'logins'], cells);
}

export function verificationTable(verifications: readonly Verification[]): string {
  const cells = verifications.map(({ by, p50, p95, rate, cpu, load }) => [
    by,
    number(p50, 3),
    number(p95, 3),
    number(rate, 0),
    number(cpu, 2),
    load === undefined ? '' : number(load, 0),
  ]);
  return table(
    ['one assertion verified by', 'p50 ms', 'p95 ms', 'ok/s', 'CPU s / 1000', 'once, to load ms'],
    cells,
  );
}

export function touchLine({ first, later }: FirstTouch): string {
  return `Assertion at control.sock: the first after a start ${number(first, 1)} ms, later ones ${number(later, 1)} ms.`;
}

export function goalTable(goals: readonly Goal[]): string {
  const cells = goals.map(({ what, value, spread, atMost, atLeast, unit, met }) => [
    what,
    `${number(value, value < 10 ? 2 : 0)} ${unit}`,
    spread === undefined ? '' : spread.map((end) => number(end, 2)).join(' to '),
    `${atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`} ${unit}`,
    met ? 'met' : 'missed',
  ]);
  return table(['what', 'measured', 'rounds', 'goal', ''], cells);
}

function number(value: number, digits: number): string {
  if (!Number.isFinite(value)) return '-';
  const [whole = '', rest] = value.toFixed(digits).split('.');
  const grouped = whole.replaceAll(/\B(?=(\d{3})+$)/g, ' ');
  return rest === undefined ? grouped : `${grouped}.${rest}`;
}

function table(head: readonly string[], cells: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(3, title.length, ...cells.map((line) => line[column]?.length ?? 0)),
  );
  const line = (values: readonly string[]): string =>
    `| ${values.map((value, column) => pad(value, widths[column] ?? 0, column)).join(' | ')} |`;
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [line(head), `| ${rule.join(' | ')} |`, ...cells.map(line)].join('\n');
}

function pad(value: string, width: number, column: number): string {
  return column === 0 ? value.padEnd(width) : value.padStart(width);
}
