import type { Command } from 'commander';
import type { Readiness, ReportLine } from '../../daemon/api/account-views.ts';
import { reportLimit } from '../../daemon/api/bounds.ts';
import type { StoredAuditEvent } from '../../daemon/api/views.ts';
import { pluralise } from '../../daemon/lib/units.ts';
import type { Context } from '../lib/context.ts';
import type { Output } from '../lib/output.ts';
import { momentOf } from './audit.ts';

interface ReportOptions {
  readonly realm?: string;
  readonly since: number;
  readonly json?: boolean;
}

/** One account's logins in the period. */
interface Seen {
  lastSeen: number;
  logins: number;
  /** The newest login of each service. */
  readonly services: Map<string, Pick<StoredAuditEvent, 'outcome' | 'reason' | 'would'>>;
}

interface Row extends ReportLine {
  readonly lastSeen?: number;
  readonly logins: number;
  readonly services: readonly string[];
  /** Services whose last login was refused, or would have been in observe mode: "su: rule-refuse". */
  readonly refusedAt: readonly { readonly service: string; readonly why: string }[];
}

const pageSize = 1_000;
const weekAgo = 7 * 86_400_000;

/** Worst first. */
const order: readonly Readiness[] = [
  'refused',
  'enrol',
  'unknown',
  'grace',
  'recovery-only',
  'ready',
  'off',
  'gone',
];
const words: Readonly<Record<Readiness, readonly [one: string, many?: string]>> = {
  refused: ['would be refused'],
  enrol: ['would enrol a first factor'],
  unknown: ['is unknown', 'are unknown'],
  grace: ['is in its grace period', 'are in their grace period'],
  'recovery-only': ['has only recovery keys left', 'have only recovery keys left'],
  ready: ['is ready', 'are ready'],
  off: ['would not be asked'],
  gone: ['is gone', 'are gone'],
};

export function addReport(program: Command, context: Context): void {
  program
    .command('report')
    .summary('List accounts ready for, or locked out by, their realm')
    .description(
      'List accounts ready for, or locked out by, their realm. Columns in a pipe: account, realm, readiness, why, last seen, services, refused at, factors',
    )
    .option('--realm <name>', 'Only members of this realm')
    .option('--since <when>', 'Start of the period: 12h, 7d, 2025-03-01 (default: 7d)', (text) =>
      momentOf(text, context.world.now()),
    )
    .option('--json', 'Print JSON')
    .addHelpText(
      'after',
      [
        '',
        'Lists accounts that logged in during the period, and those in the store. Readiness is decided now, for a login',
        'without special conditions; "refused at" lists services that refused the last login, or would have.',
      ].join('\n'),
    )
    .action(async (options: Partial<ReportOptions>) => {
      const since = options.since ?? context.world.now() - weekAgo;
      await report(context, { ...options, since });
    });
}

async function report(context: Context, { realm, since, json }: ReportOptions): Promise<void> {
  const progress = progressOf(context);
  // An unknown realm is an error, not an empty report.
  if (realm !== undefined) await context.client().realm(realm);
  const seen = await seenSince(context, since, progress);
  const names = await namesOf(context, seen);
  const rows: Row[] = [];
  for (let at = 0; at < names.length; at += reportLimit) {
    const { lines } = await context.client().report(names.slice(at, at + reportLimit));
    for (const line of lines)
      if (realm === undefined || line.realm === realm) rows.push(rowOf(line, seen.get(line.account)));
    progress(`${Math.min(at + reportLimit, names.length)} of ${names.length} accounts`);
  }
  progress('');
  rows.sort((a, b) => order.indexOf(a.readiness) - order.indexOf(b.readiness) || compare(a, b));
  const totals = Object.fromEntries(
    order.map((readiness) => [readiness, rows.filter((row) => row.readiness === readiness).length]),
  );
  if (json === true)
    context.output.json(
      { since, totals, accounts: rows },
      { since: 'time', accounts: { lastSeen: 'time', exemptUntil: 'time' } },
    );
  else tell(context.output, rows, totals);
}

function compare(a: Row, b: Row): number {
  return a.account < b.account ? -1 : 1;
}

/** Reads page by page, newest first, and keeps one entry for each account and service. */
async function seenSince(
  context: Context,
  since: number,
  progress: (text: string) => void,
): Promise<ReadonlyMap<string, Seen>> {
  const seen = new Map<string, Seen>();
  let from: number | undefined;
  for (let read = 0; ; ) {
    const query = { limit: pageSize, since, ...(from === undefined ? {} : { from }) };
    const { events } = await context.client().audit(query);
    for (const event of events) note(seen, event);
    read += events.length;
    progress(`${read} events`);
    const last = events.at(-1);
    if (last === undefined || events.length < pageSize || last.seq === 0) return seen;
    from = last.seq - 1;
  }
}

function note(seen: Map<string, Seen>, event: StoredAuditEvent): void {
  const { kind, outcome, reason, would, service, account, at } = event;
  if (kind !== 'login' || service === undefined || outcome === 'abandoned') return;
  const one = seen.get(account) ?? { lastSeen: at, logins: 0, services: new Map() };
  one.logins += 1;
  one.lastSeen = Math.max(one.lastSeen, at);
  if (!one.services.has(service))
    one.services.set(service, { outcome, reason, ...(would === undefined ? {} : { would }) });
  seen.set(account, one);
}

/** Accounts with a login in the period, and accounts with a record. */
async function namesOf(context: Context, seen: ReadonlyMap<string, Seen>): Promise<readonly string[]> {
  const names = new Set(seen.keys());
  let after: string | undefined;
  do {
    const page = await context.client().users(after, pageSize);
    for (const { account } of page.users) names.add(account);
    after = page.next;
  } while (after !== undefined);
  return [...names];
}

function rowOf(line: ReportLine, seen: Seen | undefined): Row {
  const services = [...(seen?.services ?? [])];
  return {
    ...line,
    ...(seen === undefined ? {} : { lastSeen: seen.lastSeen }),
    logins: seen?.logins ?? 0,
    services: services.map(([service]) => service).sort(),
    refusedAt: services
      .filter(([, { outcome, would }]) => outcome === 'refused' || would === 'refused')
      .map(([service, { reason }]) => ({ service, why: reason })),
  };
}

function tell(output: Output, rows: readonly Row[], totals: Readonly<Record<string, number>>): void {
  output.table(
    ['USER', 'REALM', 'READINESS', 'WHY', 'LAST SEEN', 'SERVICES', 'REFUSED AT', 'FACTORS'],
    rows.map((row) => [
      row.account,
      row.realm === undefined ? '' : `${row.realm}${row.observed ? ' (observe mode)' : ''}`,
      row.readiness,
      row.exemptUntil === undefined
        ? row.why
        : `${row.why}, exempt until ${output.cellTime(row.exemptUntil)}`,
      row.lastSeen === undefined ? '' : output.cellTime(row.lastSeen),
      row.services.join(','),
      row.refusedAt.map(({ service, why }) => `${service}: ${why}`).join(', '),
      row.factors.map(({ kind, enabled }) => (enabled ? kind : `${kind} (disabled)`)).join(','),
    ]),
  );
  const said = order.filter((readiness) => (totals[readiness] ?? 0) > 0);
  const counts = said
    .map((readiness) => {
      const [one, many = one] = words[readiness];
      return pluralise(totals[readiness] ?? 0, `account ${one}`, `accounts ${many}`);
    })
    .join(', ');
  output.note(rows.length === 0 ? 'No account to report.' : `${counts}.`);
}

/** A progress line, on a terminal only. */
function progressOf({ world }: Context): (text: string) => void {
  if (world.error.isTTY !== true) return () => undefined;
  return (text) => void world.error.write(`\r\x1b[K${text}`);
}
