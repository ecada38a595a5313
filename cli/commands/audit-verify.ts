import { type Command, InvalidArgumentError } from 'commander';
import type { TrailCheck, TrailFault } from '../../daemon/api/views.ts';
import { pluralise } from '../../daemon/lib/units.ts';
import type { Context } from '../lib/context.ts';
import { exitStatus } from '../lib/errors.ts';
import { createProgress } from '../lib/progress.ts';
import { plainTime } from '../lib/time.ts';

interface ChainLink {
  readonly seq: number;
  readonly link: string;
}

interface VerifyOptions {
  readonly expect?: ChainLink;
  readonly json?: boolean;
}

/** The merged result of all pages. */
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
  /** Ranges pruned before their age, the events in them, and everything pruned so far. */
  readonly gaps: number;
  readonly inGaps: number;
  readonly dropped?: TrailCheck['dropped'];
  /** Whether the chain hash noted elsewhere still matches; gone if that event was pruned since. */
  readonly expected?: 'right' | 'wrong' | 'gone';
}

/** The number of findings shown; all are counted. */
const mostFindings = 100;

export function addAuditVerify(audit: Command, context: Context): void {
  audit
    .command('verify')
    .description('Verify that no event was removed, reordered, inserted or changed')
    .option('--expect <seq:link>', 'Event number and chain hash noted elsewhere: 1234:9f86d0…', parseLink)
    .option('--json', 'Print JSON')
    .action(async (_: unknown, command: Command) => {
      // `--json` is an option of `audit` too, and is accepted before and after `verify`.
      const options = command.optsWithGlobals<VerifyOptions>();
      const outcome = await checkAll(context, options.expect);
      if (options.json === true)
        context.output.json(outcome, { segments: { at: 'time' }, dropped: { newest: 'time' } });
      else printOutcome(context, outcome, options.expect);
      const isRight = outcome.faults === 0 && (outcome.expected ?? 'right') === 'right';
      if (!isRight) context.end(exitStatus.refused);
    });
}

function parseLink(text: string): ChainLink {
  const [, seq, link] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || link === undefined)
    throw new InvalidArgumentError('Expected NUMBER:HASH, as "sallyport audit verify" prints it.');
  return { seq: Number(seq), link };
}

async function checkAll(context: Context, expect: ChainLink | undefined): Promise<Outcome> {
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

function added(sum: Outcome | undefined, part: TrailCheck, expect: ChainLink | undefined): Outcome {
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
  missing: 'is missing: it was removed',
  damaged: 'cannot be decrypted: it was changed or damaged',
  broken: 'does not follow the event before it: events were removed, inserted, reordered or changed here',
  'no-link': 'has no chain hash, unlike those before it: an older version wrote it, or it was inserted',
  segment: 'belongs to another chain segment than the one before it, and no segment begins here',
  beginning: 'is the oldest, but does not follow the last event pruned: earlier events were removed',
  head: 'is the newest, but not the last one written: later events were removed or changed',
  beyond: 'comes after the end of the trail: it was inserted',
};

function printOutcome({ output }: Context, outcome: Outcome, expect: ChainLink | undefined): void {
  const { first, last, head, chainedFrom, unchained } = outcome;
  for (const { seq, fault } of outcome.findings) output.error(`event ${seq} ${texts[fault]}`);
  if (outcome.faults > outcome.findings.length)
    output.error(`and ${outcome.faults - outcome.findings.length} more`);
  if (expect !== undefined && outcome.expected === 'wrong')
    output.error(`event ${expect.seq} does not have the chain hash given with --expect`);
  if (expect !== undefined && outcome.expected === 'gone')
    output.error(`event ${expect.seq} was pruned since: its chain hash can no longer be compared`);
  showDropped(output, outcome);
  output.facts([
    ['events', last < first ? '' : `${first} to ${last}`],
    ['checked', String(outcome.checked)],
    ['chain from', chainedFrom === undefined ? '' : String(chainedFrom)],
    ['without a chain hash', String(unchained)],
    ...outcome.segments.map(({ seq, segment, reason }): readonly [string, string] => [
      `segment ${segment}`,
      `from event ${seq}: ${reason}`,
    ]),
    ['gaps', outcome.gaps === 0 ? '' : `${outcome.gaps}, of ${outcome.inGaps} pruned events`],
    ['faults', String(outcome.faults)],
    ['newest', head === undefined || last < first ? '' : `${last}:${head}`],
  ]);
}

/** An intact chain may still lack events: report those pruned before their age. */
function showDropped(output: Context['output'], { dropped }: Outcome): void {
  if (dropped === undefined || dropped.size + dropped.share === 0) return;
  const { size, share, newest } = dropped;
  const until = newest === undefined ? '' : `, the newest of ${plainTime(newest)}`;
  output.warn(
    `${pluralise(size + share, 'event was', 'events were')} pruned before reaching the maximum age${until}: ${size} because the trail was full, ${share} from accounts or sources above their share`,
  );
  output.warn(
    'to find the source: journalctl -u sallyportd -g audit-over-share; to raise the limits: [audit] max_events, max_bytes',
  );
}
