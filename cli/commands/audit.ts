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

/** What the daemon gives at a time. */
const pageSize = 1_000;
/** So many are held to be turned round; of more only their place is. */
const mostHeld = 10_000;

export function addAudit(program: Command, context: Context): void {
  const moment = (text: string) => momentOf(text, context.world.now());
  const audit = program
    .command('audit')
    .summary('the audit trail, oldest first')
    .description(
      'the audit trail, oldest first; piped: time, place, account, kind, outcome, reason, realm, service, source or tty, factor, actor',
    )
    .option('--user <user>', 'of one account alone')
    .option('--realm <realm>', 'of one realm')
    .option('--service <service>', 'of one PAM service: sshd, sudo')
    .option('--source <source>', 'from an address, a network (10.0.0.0/8) or a name')
    .addOption(new Option('--outcome <outcome>', 'with one outcome').choices(auditOutcomes))
    .addOption(new Option('--kind <kind>', 'of one kind').choices(auditKinds))
    .option('--since <when>', 'from then on: 30m, 12h, 1d, 2w, 2025-03-01, "2025-03-01 12:00"', moment)
    .option('--until <when>', 'up to then', moment)
    .option('--follow', 'go on with what happens from now on')
    .option('--limit <n>', 'the last n of them', wholeNumber(0, 1_000_000), 100)
    .option('--all', 'all of them')
    .option('--json', 'as JSON, one object a line')
    .action(async (options: AuditOptions) => {
      if (options.follow === true && options.until !== undefined)
        throw new CliError('usage', 'What comes has no end: leave --until out, or --follow.');
      const lines = createAuditLines(context.output, options.json === true);
      const last = await printPast(context, options, lines);
      if (options.follow === true) await follow(context, options, last, lines);
    });
  addAuditVerify(audit, context);
}

/** For commander: a moment in the past. */
export function momentOf(text: string, now: number): number {
  const moment = parseSince(text, now);
  if (moment === undefined)
    throw new InvalidArgumentError('It must be a length of time (30m, 12h, 1d) or a date (2025-03-01).');
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

/** What a search came to. */
interface Found {
  readonly count: number;
  /** Newest first; empty where there are too many to be held. */
  readonly held: readonly StoredAuditEvent[];
  /** Places of the oldest and the newest. */
  readonly first?: number;
  readonly last?: number;
  /** The newest place of the trail, found or not, when the search began. */
  readonly end?: number;
}

/**
 * Oldest first, in bounded memory: the daemon gives the newest first, so of more than a few only the place where
 * they begin is looked for, and they are read again from there.
 * @returns the newest place of the trail when it was read
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

/** The daemon reads a stretch of the trail at a time, whatever it finds there. */
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
    if (from !== undefined && count < limit) progress.show(`${count} found, looking before event ${from} …`);
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
      // What was printed is to be taken before more of it is asked for.
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
