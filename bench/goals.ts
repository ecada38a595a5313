import type { ModuleName } from './candidate.ts';
import type { FirstTouch } from './first-touch.ts';
import { type Latency, ratios } from './latency.ts';
import { median, type Row, type Run } from './measure.ts';
import type { Rest } from './rest.ts';

/** What the daemon with the most users showed. */
export interface DaemonFigures {
  readonly users: number;
  /** Bytes. */
  readonly memory: number;
  /** Milliseconds from its start to the first login. */
  readonly startUp: number;
}

/** All that was measured; what could not be is missing. */
export interface Figures {
  readonly latencies: readonly Latency[];
  readonly rests: readonly Rest[];
  readonly rows: readonly Row[];
  readonly daemon?: DaemonFigures;
  readonly firstTouch?: FirstTouch;
}

export interface Goal {
  readonly what: string;
  readonly value: number;
  /** Least and most of the rounds. */
  readonly spread?: readonly [number, number];
  /** One of the two. */
  readonly atMost?: number;
  readonly atLeast?: number;
  readonly unit: string;
  readonly met: boolean;
}

/** CPU of the build of 2026-11-24 for a login, as a multiple of that of the Node floor: `--base` measured both. */
const earlier = { cold: 3.6, warm: 2.2 } as const;

/** The goals of the project, held against what was measured. A figure that is missing meets nothing. */
export function evaluate({ latencies, rests, rows, daemon, firstTouch }: Figures): Goal[] {
  return [
    ...oneClient(latencies),
    ...afterRest(rests),
    ...comparedWithBase(latencies),
    manyClients(rows),
    ...otherFactors(latencies),
    ...manyUsers(latencies, daemon),
    atMost('first verification of an assertion', [firstTouch?.first], 80, 'ms'),
  ];
}

function oneClient(latencies: readonly Latency[]): Goal[] {
  const peers = [
    ['Node floor', 1.0, 1.2],
    ['C floor', 2.0, 2.5],
    ['pam_google_authenticator', 0.35, 0.45],
    ['pam_oath', 1.3, 1.5],
  ] as const;
  return peers.flatMap(([peer, warm, cold]) => [
    atMost(`warm, p50, of ${peer}`, compared(latencies, 'pam_sallyport', peer, 'warm', p50), warm, 'x'),
    atMost(`cold, p50, of ${peer}`, compared(latencies, 'pam_sallyport', peer, 'cold', p50), cold, 'x'),
  ]);
}

function afterRest(rests: readonly Rest[]): Goal[] {
  const of = (module: ModuleName, seconds: number): readonly number[] =>
    rests.find((rest) => rest.module === module && rest.seconds === seconds)?.times ?? [];
  return [...new Set(rests.map(({ seconds }) => seconds))].flatMap((seconds) => {
    const own = of('pam_sallyport', seconds);
    const ratio = median(own) / median(of('pam_google_authenticator', seconds));
    return [
      atMost(`after ${seconds} s of rest, p50, of pam_google_authenticator`, [ratio], 0.9, 'x'),
      atMost(`after ${seconds} s of rest, slowest, of p50`, [Math.max(...own) / median(own)], 4, 'x'),
    ];
  });
}

function comparedWithBase(latencies: readonly Latency[]): Goal[] {
  const base = latencies.some(({ module }) => module === 'pam_sallyport, base');
  const share = (state: 'cold' | 'warm'): number[] =>
    base
      ? compared(latencies, 'pam_sallyport', 'pam_sallyport, base', state, cpu)
      : compared(latencies, 'pam_sallyport', 'Node floor', state, cpu).map((value) => value / earlier[state]);
  const what = base ? 'that of the base' : 'that of 2026-11-24';
  const times = (state: 'cold' | 'warm'): number[] =>
    compared(latencies, 'pam_sallyport', 'pam_sallyport, base', state, p50);
  const slower = (['warm', 'cold'] as const).map((state) =>
    atMost(`${state}, p50, of the base`, times(state), 1.03, 'x'),
  );
  return [
    ...(base ? slower : []),
    atMost(`CPU of the daemon, cold, of ${what}`, share('cold'), 0.5, 'x'),
    atMost(`CPU of the daemon, warm, of ${what}`, share('warm'), 0.55, 'x'),
  ];
}

function manyClients(rows: readonly Row[]): Goal {
  // With as many users as clients.
  const rate = (module: ModuleName): number =>
    rows.find((row) => row.module === module && row.clients === 64 && (row.users ?? 64) === 64)?.rate ??
    Number.NaN;
  const better = Math.max(rate('pam_google_authenticator'), rate('pam_oath'));
  return atLeast('64 clients, rate, of the better peer', rate('pam_sallyport') / better, 4, 'x');
}

function otherFactors(latencies: readonly Latency[]): Goal[] {
  return (['YubiKey', 'ssh-sk'] as const).map((kind) => {
    const values = compared(latencies, `pam_sallyport, ${kind}`, 'pam_sallyport', 'warm', p50);
    return atMost(`${kind}, warm, p50, of HOTP`, values, 1.2, 'x');
  });
}

function manyUsers(latencies: readonly Latency[], daemon: DaemonFigures | undefined): Goal[] {
  const users = daemon?.users;
  const many = users === undefined ? 'many' : `${users}`;
  const grown = compared(latencies, 'pam_sallyport, many users', 'pam_sallyport', 'warm', p50);
  return [
    atMost(`warm, p50, ${many} users of one user`, grown, 1.2, 'x'),
    atMost(`anonymous memory at ${many} users`, [(daemon?.memory ?? Number.NaN) / 1e6], 100, 'MB'),
    atMost(`first login after a start at ${many} users`, [daemon?.startUp], 500, 'ms'),
  ];
}

const p50 = (run: Run): number => run.p50;
const cpu = (run: Run): number | undefined => run.cpu;

/** One ratio for each round. */
function compared(
  latencies: readonly Latency[],
  module: ModuleName,
  other: ModuleName,
  state: 'cold' | 'warm',
  figure: (run: Run) => number | undefined,
): number[] {
  const of = (name: ModuleName): Latency['warm'] =>
    latencies.find((latency) => latency.module === name)?.[state] ?? [];
  return ratios(of(module), of(other), figure);
}

/** @param values one for each round, or one in all */
function atMost(what: string, values: readonly (number | undefined)[], limit: number, unit: string): Goal {
  const known = values.filter((value) => value !== undefined);
  const value = median(known);
  const spread = known.length < 2 ? {} : { spread: [Math.min(...known), Math.max(...known)] as const };
  return { what, value, ...spread, atMost: limit, unit, met: value <= limit };
}

function atLeast(what: string, value: number, limit: number, unit: string): Goal {
  return { what, value, atLeast: limit, unit, met: value >= limit };
}
