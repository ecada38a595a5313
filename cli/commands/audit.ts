import { type Command, InvalidArgumentError } from 'commander';
import type { StoredAuditEvent } from '../../daemon/control/views.ts';
import type { Context } from '../context.ts';
import { wholeNumber } from '../number.ts';
import type { Output } from '../output.ts';
import { parseSince } from '../time.ts';

interface AuditOptions {
  readonly user?: string;
  readonly since?: number;
  readonly follow?: boolean;
  readonly limit: number;
  readonly json?: boolean;
}

/** What the daemon gives at a time. */
const pageSize = 1_000;

export function addAudit(program: Command, context: Context): void {
  program
    .command('audit')
    .description(
      'the audit trail, oldest first; piped: time, place, user, kind, outcome, reason, realm,\nservice, source, factor, actor',
    )
    .option('--user <user>', 'of one account alone')
    .option('--since <when>', 'from then on: 30m, 12h, 1d, 2w, 2025-03-01, "2025-03-01 12:00"', (text) =>
      sinceOf(text, context.world.now()),
    )
    .option('--follow', 'go on with what happens from now on')
    .option('--limit <n>', 'the last n of them', wholeNumber(0, 1_000_000), 100)
    .option('--json', 'as JSON, one object a line')
    .action(async (options: AuditOptions) => {
      const past = await readPast(context, options);
      for (const event of past) tell(context.output, event, options.json === true);
      if (options.follow === true) await follow(context, options, past.at(-1)?.seq);
    });
}

/** For commander: a moment in the past. */
export function sinceOf(text: string, now: number): number {
  const since = parseSince(text, now);
  if (since === undefined)
    throw new InvalidArgumentError('It must be a length of time (30m, 12h, 1d) or a date (2025-03-01).');
  return since;
}

/** Oldest first. The daemon gives the newest first, a page at a time. */
async function readPast(context: Context, options: AuditOptions): Promise<readonly StoredAuditEvent[]> {
  const { user, since, limit } = options;
  const events: StoredAuditEvent[] = [];
  let from: number | undefined;
  while (events.length < limit) {
    const asked = Math.min(pageSize, limit - events.length);
    const page = await context.client().audit({
      limit: asked,
      ...(user === undefined ? {} : { user }),
      ...(since === undefined ? {} : { since }),
      ...(from === undefined ? {} : { from }),
    });
    events.push(...page.events);
    const last = page.events.at(-1);
    if (last === undefined || page.events.length < asked || last.seq === 0) break;
    from = last.seq - 1;
  }
  return events.reverse();
}

async function follow(context: Context, options: AuditOptions, from: number | undefined): Promise<void> {
  const stream = context.client().follow({
    ...(options.user === undefined ? {} : { user: options.user }),
    ...(from === undefined ? {} : { from }),
  });
  for await (const event of stream) tell(context.output, event, options.json === true);
}

function tell(output: Output, event: StoredAuditEvent, json: boolean): void {
  if (json) output.jsonLine(event);
  else if (output.terminal) output.line(sentence(output, event));
  else output.table([], [columns(output, event)]);
}

function columns(output: Output, event: StoredAuditEvent): readonly string[] {
  const { factor } = event;
  return [
    output.time(event.at),
    String(event.seq),
    event.account,
    event.kind,
    event.outcome,
    event.reason,
    event.realm ?? '',
    event.service ?? '',
    event.source ?? event.tty ?? '',
    factor === undefined ? '' : `${factor.kind}:${factor.name}`,
    event.actor ?? '',
  ];
}

function sentence(output: Output, event: StoredAuditEvent): string {
  const { service, source, tty, factor, actor, realm } = event;
  return [
    `${output.time(event.at)}  ${event.account}  ${event.kind} ${event.outcome} (${event.reason})`,
    service === undefined ? '' : `service ${service}`,
    source === undefined ? '' : `from ${source}`,
    tty === undefined ? '' : `on ${tty}`,
    realm === undefined ? '' : `realm ${realm}`,
    factor === undefined ? '' : `factor ${factor.kind} "${factor.name}"`,
    actor === undefined ? '' : `by ${actor}`,
  ]
    .filter((part) => part !== '')
    .join('  ');
}
