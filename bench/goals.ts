import type { ModuleName } from './candidate.ts';
import type { Row } from './measure.ts';

/** What the daemon with the most users showed. */
export interface DaemonFigures {
  readonly users: number;
  /** Bytes. */
  readonly memory: number;
  /** Milliseconds from its start to the first login. */
  readonly startUp: number;
}

export interface Goal {
  readonly what: string;
  readonly value: number;
  /** One of the two. */
  readonly atMost?: number;
  readonly atLeast?: number;
  readonly unit: string;
  readonly met: boolean;
}

/** The goals of the project, held against what was measured. A figure that is missing meets nothing. */
export function evaluate(rows: readonly Row[], daemon: DaemonFigures): Goal[] {
  const most = daemon.users;
  /** With as many users as clients, unless it is said. */
  const find = (module: ModuleName, clients: number, users = clients): Row | undefined =>
    rows.find((row) => row.module === module && row.clients === clients && (row.users ?? users) === users);
  const own = find('pam_sallyport', 1)?.p50 ?? Number.NaN;
  const google = find('pam_google_authenticator', 1)?.p50 ?? Number.NaN;
  const oath = find('pam_oath', 1)?.p50 ?? Number.NaN;
  const grown = find('pam_sallyport', 1, most)?.p50 ?? Number.NaN;
  const rate = (module: ModuleName): number => find(module, 64)?.rate ?? Number.NaN;
  const better = Math.max(rate('pam_google_authenticator'), rate('pam_oath'));
  return [
    atMost('one client, p50, of pam_google_authenticator', own / google, 0.2, 'x'),
    atMost('one client, p50, of pam_oath with one user', own / oath, 0.75, 'x'),
    atLeast('64 clients, rate, of the better peer', rate('pam_sallyport') / better, 3, 'x'),
    atMost(`one client, p50, ${most} users of one user`, grown / own, 1.2, 'x'),
    atMost(`anonymous memory at ${most} users`, daemon.memory / 1e6, 100, 'MB'),
    atMost(`first login after a start at ${most} users`, daemon.startUp, 500, 'ms'),
  ];
}

function atMost(what: string, value: number, limit: number, unit: string): Goal {
  return { what, value, atMost: limit, unit, met: value <= limit };
}

function atLeast(what: string, value: number, limit: number, unit: string): Goal {
  return { what, value, atLeast: limit, unit, met: value >= limit };
}
