import { type Command, InvalidArgumentError } from 'commander';
import type { TrailCheck, TrailFault } from '../../daemon/api/views.ts';
import type { Context } from '../lib/context.ts';
import { exitStatus } from '../lib/errors.ts';
import { createProgress } from '../lib/progress.ts';
import { plainTime } from '../lib/time.ts';

interface Link {
  readonly seq: number;
  readonly link: string;
}

interface VerifyOptions {
  readonly expect?: Link;
  readonly json?: boolean;
}

/** What all stretches came to. */
interface Outcome {
  readonly first: number;
  readonly last: number;
  readonly checked: number;
  readonly unchained: number;
  readonly chainedFrom?: number;
  readonly head?: string;
  readonly faults: number;
  readonly findings: TrailCheck['findings'];
  readonly segments: TrailCheck['segments'];
  /** Rows that were dropped out of turn, and the events in them; all that was ever dropped. */
  readonly gaps: number;
  readonly inGaps: number;
  readonly dropped?: TrailCheck['dropped'];
  /** Whether the link that was written down elsewhere is still there; gone: that event was dropped meanwhile. */
  readonly expected?: 'right' | 'wrong' | 'gone';
}

/** Enough to see what it is; all are counted. */
const mostFindings = 100;

export function addAuditVerify(audit: Command, context: Context): void {
  audit
    .command('verify')
    .description('whether the trail is whole: nothing cut out, reordered, put in or changed')
    .option('--expect <seq:link>', 'a link that was written down elsewhere: 1234:9f86d0…', linkOf)
    .option('--json', 'as JSON')
    .action(async (_: unknown, command: Command) => {
      // `--json` belongs to `audit` too, and stands on either side of `verify`.
      const options = command.optsWithGlobals<VerifyOptions>();
      const outcome = await checkAll(context, options.expect);
      if (options.json === true)
        context.output.json(outcome, { segments: { at: 'time' }, dropped: { newest: 'time' } });
      else show(context, outcome, options.expect);
      const isRight = outcome.faults === 0 && (outcome.expected ?? 'right') === 'right';
      if (!isRight) context.end(exitStatus.refused);
    });
}

function linkOf(text: string): Link {
  const [, seq, link] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || link === undefined)
    throw new InvalidArgumentError(
      'It must be a place and its link, as "sallyport audit verify" prints them.',
    );
  return { seq: Number(seq), link };
}

async function checkAll(context: Context, expect: Link | undefined): Promise<Outcome> {
  const progress = createProgress(context.world);
  try {
    let from: number | undefined;
    let sum: Outcome | undefined;
    do {
      const query = {
        ...(from === undefined ? {} : { from }),
        ...(expect === undefined ? {} : { linkOf: expect.seq }),
      };
      const part = await context.client().checkTrail(query);
      sum = added(sum, part, expect);
      from = part.next;
      if (from !== undefined) progress.show(`${from - sum.first} of ${part.last - sum.first + 1} events …`);
    } while (from !== undefined);
    if (expect === undefined || sum.expected !== undefined) return sum;
    return { ...sum, expected: expect.seq < sum.first ? 'gone' : 'wrong' };
  } finally {
    progress.clear();
  }
}

function added(sum: Outcome | undefined, part: TrailCheck, expect: Link | undefined): Outcome {
  const chainedFrom = sum?.chainedFrom ?? part.chainedFrom;
  const seen = part.link === undefined ? sum?.expected : part.link === expect?.link ? 'right' : 'wrong';
  return {
    first: sum?.first ?? part.first,
    last: part.last,
    checked: (sum?.checked ?? 0) + part.checked,
    unchained: (sum?.unchained ?? 0) + part.unchained,
    ...(chainedFrom === undefined ? {} : { chainedFrom }),
    ...(part.head === undefined ? {} : { head: part.head }),
    faults: (sum?.faults ?? 0) + part.faults,
    findings: [...(sum?.findings ?? []), ...part.findings].slice(0, mostFindings),
    gaps: (sum?.gaps ?? 0) + part.gaps,
    inGaps: (sum?.inGaps ?? 0) + part.inGaps,
    ...(part.dropped === undefined ? {} : { dropped: part.dropped }),
    segments: [...(sum?.segments ?? []), ...part.segments].slice(-mostFindings),
    ...(seen === undefined ? {} : { expected: seen }),
  };
}

const texts: Readonly<Record<TrailFault, string>> = {
  missing: 'is missing: it was cut out',
  damaged: 'cannot be opened: it was changed, or the disk lost it',
  broken: 'does not follow on the one before: something was cut out, put in, reordered or changed here',
  'no-link': 'carries no link, although those before it do: an older version wrote it, or it was put in',
  segment: 'belongs to another stretch of the chain than the one before, and none begins here',
  beginning: 'is the oldest, and what it follows on is not what was dropped last: the beginning was cut off',
  head: 'is the newest, and not the one that was written last: the end was cut off or changed',
  beyond: 'lies behind the end of the trail: it was put there',
};

function show({ output }: Context, outcome: Outcome, expect: Link | undefined): void {
  const { first, last, head, chainedFrom, unchained } = outcome;
  for (const { seq, fault } of outcome.findings) output.error(`event ${seq} ${texts[fault]}`);
  if (outcome.faults > outcome.findings.length)
    output.error(`and ${outcome.faults - outcome.findings.length} more`);
  if (expect !== undefined && outcome.expected === 'wrong')
    output.error(`event ${expect.seq} is not the one whose link was written down`);
  if (expect !== undefined && outcome.expected === 'gone')
    output.error(`event ${expect.seq} was dropped meanwhile: its link cannot be compared any more`);
  showDropped(output, outcome);
  output.facts([
    ['events', last < first ? '' : `${first} to ${last}`],
    ['checked', String(outcome.checked)],
    ['chain from', chainedFrom === undefined ? '' : String(chainedFrom)],
    ['without a link', String(unchained)],
    ...outcome.segments.map(({ seq, segment, reason }): readonly [string, string] => [
      `segment ${segment}`,
      `from event ${seq}: ${reason}`,
    ]),
    ['gaps', outcome.gaps === 0 ? '' : `${outcome.gaps}, of ${outcome.inGaps} dropped events`],
    ['faults', String(outcome.faults)],
    ['newest', head === undefined || last < first ? '' : `${last}:${head}`],
  ]);
}

/** A chain that is whole does not say that all is there: what had to go before its time is said. */
function showDropped(output: Context['output'], { dropped }: Outcome): void {
  if (dropped === undefined || dropped.size + dropped.share === 0) return;
  const { size, share, newest } = dropped;
  const until = newest === undefined ? '' : `, the newest of them of ${plainTime(newest)}`;
  output.warn(
    `${size + share} events were dropped before they were too old${until}: ${size} because the trail was full, ${share} of accounts or parties that had written more than their share`,
  );
  output.warn(
    'who writes that much: journalctl -u sallyportd -g audit-over-share; more room: [audit] max_events, max_bytes',
  );
}
