import type { Context } from '../lib/context.ts';
import { exitStatus } from '../lib/errors.ts';
import { grouped, keyOf, parsedIn, placeText } from './accounts.ts';
import { type Parsed, type Parser, type Problem, problem } from './contract.ts';
import { type Named, namedFiles } from './files.ts';
import { createReport } from './report.ts';
import { createSender } from './send.ts';

export interface ImportOptions {
  /** What the audit trail calls it. */
  readonly source: string;
  readonly paths: readonly string[];
  /** Where the other system keeps a file in a home. */
  readonly inHome?: string;
  /** Only what the files say of this account comes over, where they say whose it is. */
  readonly user?: string | undefined;
  /** Others must not even read it. */
  readonly secret?: boolean;
  readonly parse: Parser;
  readonly dryRun: boolean;
  readonly json: boolean;
}

/**
 * Reads files of another system and sends what is in them to sallyportd.
 *
 * What MUST hold: nothing of a file that cannot be read to its end is sent. A line that cannot be read stops its
 * account, wherever in the files the account stands, and no other; so all is read once before anything is sent. What is kept of it is counts, and the names in bad lines. A file
 * that speaks for its owner alone stops nothing but what its owner says: in it anybody's name may stand.
 */
export async function runImport(context: Context, options: ImportOptions): Promise<void> {
  const { output, world } = context;
  const files = await namedFiles(options.paths, options.inHome, options.secret === true ? 0o077 : 0o022);
  const named = () => parsedIn(files, options.parse);
  const bad = new Map<string, string>();
  const broken = new Set<string>();
  const reported = new Set<string>();
  let total = 0;
  for await (const one of grouped(noted(named(), reported))) {
    if (one.kind === 'found') total += 1;
    else if (one.whole === true) broken.add(one.place.file);
    else if (one.user !== undefined) {
      const key = badKey(one.user, one.owner);
      if (!bad.has(key)) bad.set(key, placeText(one.place));
    }
  }
  const report = createReport({ output, world, json: options.json, dryRun: options.dryRun });
  let done = 0;
  const step = () => {
    done += 1;
    report.progress(done, total);
  };
  for (const one of empty(files, reported, options.user)) report.problem(one);
  const sender = createSender({
    client: context.client(),
    source: options.source,
    dryRun: options.dryRun,
    answered: (one) => {
      report.answered(one);
      step();
    },
  });
  for await (const one of grouped(whole(named(), broken))) {
    if (one.kind === 'problem') {
      report.problem(one);
      continue;
    }
    const place = bad.get(badKey(keyOf(one))) ?? bad.get(badKey(keyOf(one), one.owner));
    if (place === undefined) {
      await sender.send(one);
      continue;
    }
    report.problem(
      problem(one.place, `nothing of this account comes over before ${place} is right`, one.user),
    );
    step();
  }
  await sender.end();
  if (!report.end()) context.end(exitStatus.refused);
}

async function* noted(all: AsyncIterable<Parsed>, files: Set<string>): AsyncGenerator<Parsed> {
  for await (const one of all) {
    files.add(one.place.file);
    yield one;
  }
}

/** Without what broken files hold: it may be cut off. */
async function* whole(all: AsyncIterable<Parsed>, broken: ReadonlySet<string>): AsyncGenerator<Parsed> {
  for await (const one of all)
    yield one.kind === 'found' && broken.has(one.place.file)
      ? problem(one.place, 'nothing of a file comes over that cannot be read to its end', one.user)
      : one;
}

/** Files that were named and say nothing of any account, or of the one that is wanted. */
function empty(
  files: readonly Named[],
  reported: ReadonlySet<string>,
  user: string | undefined,
): readonly Problem[] {
  const silent = files.filter(({ file, home }) => home === undefined && !reported.has(file));
  if (user === undefined)
    return silent.map(({ file }) =>
      problem({ file }, 'there is no account in it; look whether it is the right file, and of this format'),
    );
  const [first] = reported.size === 0 ? silent : [];
  if (first === undefined) return [];
  return [
    problem(
      { file: first.file },
      'nothing in it is of this account; look at the name, or leave --user out',
      user,
    ),
  ];
}

function badKey(user: string, owner?: number): string {
  return `${owner ?? ''}:${user}`;
}
