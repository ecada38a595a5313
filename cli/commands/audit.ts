import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  type AuditQuery,
  auditKinds,
  auditOutcomes,
  type FollowQuery,
  type StoredAuditEvent,
} from '../../daemon/api/views.ts';
import { type AuditLines, createAuditLines } from '../lib/audit-lines.ts';
import type { Context } from '../lib/context.ts';
import { CliError } from '../lib/errors.ts';
import { wholeNumber } from '../lib/option-values.ts';
import { createProgress, type Progress } from '../lib/progress.ts';
import { parseSince } from '../lib/time.ts';
import { addAuditVerify } from './audit-verify.ts';

type Filter = Pick<AuditQuery, 'user' | 'realm' | 'service' | 'source' | 'outcome' | 'kind'>;

interface AuditOptions extends Filter {
  readonly since?: number;
  readonly until?: number;
  readonly follow?: boolean;
  readonly limit: number;
  readonly all?: boolean;
  readonly json?: boolean;
}

/** Events requested from the daemon at a time. */
const pageSize = 1_000;
/** At most this many events are held for reversing; of more only the range is kept. */
const mostHeld = 10_000;

export function addAudit(program: Command, context: Context): void {
  const moment = (text: string) => momentOf(text, context.world.now());
  const audit = program
    .command('audit')
    .summary('Show the audit trail, oldest first')
    .description(
      'Show the audit trail, oldest first. Columns in a pipe: time, number, account, kind, outcome, reason, realm, service, source or tty, factor, actor',
    )
    .option('--user <user>', 'Only events of this account')
    .option('--realm <realm>', 'Only events of this realm')
    .option('--service <service>', 'Only events of this PAM service: sshd, sudo')
    .option('--source <source>', 'Only events from this address, network (10.0.0.0/8) or host name')
    .addOption(new Option('--outcome <outcome>', 'Only events with this outcome').choices(auditOutcomes))
    .addOption(new Option('--kind <kind>', 'Only events of this kind').choices(auditKinds))
    .option('--since <when>', 'Start time: 30m, 12h, 1d, 2w, 2025-03-01, "2025-03-01 12:00"', moment)
    .option('--until <when>', 'End time', moment)
    .option('--follow', 'Keep printing new events')
    .option('--limit <n>', 'Number of newest events', wholeNumber(0, 1_000_000), 100)
    .option('--all', 'Show all events')
    .option('--json', 'Print JSON, one object per line')
    .action(async (options: AuditOptions) => {
      if (options.follow === true && options.until !== undefined)
        throw new CliError('usage', '--until and --follow cannot be combined');
      const lines = createAuditLines(context.output, options.json === true);
      const last = await printPast(context, options, lines);
      if (options.follow === true) await follow(context, options, last, lines);
    });
  addAuditVerify(audit, context);
}

/** Parser for commander: a time in the past. */
export function momentOf(text: string, now: number): number {
  const moment = parseSince(text, now);
  if (moment === undefined)
    throw new InvalidArgumentError('Expected a duration (30m, 12h, 1d) or a date (2025-03-01).');
  return moment;
}

function filterOf({ user, realm, service, source, outcome, kind }: AuditOptions): Filter {
  return {
    ...(user === undefined ? {} : { user }),
    ...(realm === undefined ? {} : { realm }),
    ...(service === undefined ? {} : { service }),
    ...(source === undefined ? {} : { source }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(kind === undefined ? {} : { kind }),
  };
}

/** The result of a search. */
interface Found {
  readonly count: number;
  /** Newest first; empty if there are more than mostHeld. */
  readonly held: readonly StoredAuditEvent[];
  /** Sequence numbers of the oldest and the newest event found. */
  readonly first?: number;
  readonly last?: number;
  /** The newest sequence number of the trail when the search began, whether it matched or not. */
  readonly end?: number;
}

/**
 * Prints oldest first in bounded memory: the daemon returns the newest first, so for a large result only its start
 * is searched for, and the events are read again from there.
 * @returns the newest sequence number of the trail when it was read
 */
async function printPast(
  context: Context,
  options: AuditOptions,
  lines: AuditLines,
): Promise<number | undefined> {
  const progress = createProgress(context.world);
  try {
    const found = await search(context, options, progress);
    progress.clear();
    if (found.count <= mostHeld) lines.print(found.held.toReversed());
    else await printFrom(context, options, found, lines);
    return found.end;
  } finally {
    progress.clear();
  }
}

/** Each request reads a bounded part of the trail, and may find nothing there. */
async function search(context: Context, options: AuditOptions, progress: Progress): Promise<Found> {
  const limit = options.all === true ? Number.POSITIVE_INFINITY : options.limit;
  const { since, until } = options;
  const asked = {
    ...filterOf(options),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  };
  let found: Found = { count: 0, held: [] };
  let from: number | undefined;
  do {
    const wanted = Math.min(pageSize, Math.max(1, limit - found.count));
    const page = await context
      .client()
      .audit({ ...asked, limit: wanted, ...(from === undefined ? {} : { from }) });
    const events = page.events.slice(0, limit - found.count);
    const count = found.count + events.length;
    const first = events.at(-1)?.seq ?? found.first;
    const last = found.last ?? events[0]?.seq;
    const end = found.end ?? page.last;
    found = {
      count,
      held: count <= mostHeld ? [...found.held, ...events] : [],
      ...(first === undefined ? {} : { first }),
      ...(last === undefined ? {} : { last }),
      ...(end === undefined ? {} : { end }),
    };
    from = page.next;
    if (from !== undefined && count < limit)
      progress.show(`${count} found, searching before event ${from} …`);
  } while (from !== undefined && found.count < limit);
  return found;
}

async function printFrom(
  context: Context,
  options: AuditOptions,
  { first = 1, last = 0 }: Found,
  lines: AuditLines,
): Promise<void> {
  const { since = 0, until = Number.POSITIVE_INFINITY } = options;
  const stream = context.client().follow({ ...filterOf(options), from: first - 1 });
  let page: StoredAuditEvent[] = [];
  for await (const event of stream) {
    if (event.at >= since && event.at < until) page.push(event);
    if (page.length >= pageSize || event.seq >= last) {
      lines.print(page);
      page = [];
      // Backpressure: the reader takes what was printed before more is requested.
      await context.output.drained();
    }
    if (event.seq >= last) return;
  }
}

async function follow(
  context: Context,
  options: AuditOptions,
  from: number | undefined,
  lines: AuditLines,
): Promise<void> {
  const query: FollowQuery = { ...filterOf(options), ...(from === undefined ? {} : { from }) };
  for await (const event of context.client().follow(query)) lines.print([event]);
}
