import type { Context } from '../lib/context.ts';
import { exitStatus } from '../lib/errors.ts';
import { grouped, keyOf, parsedIn, placeText } from './accounts.ts';
import { type Parsed, type Parser, type Problem, problem } from './contract.ts';
import { type Named, namedFiles } from './files.ts';
import { createReport } from './report.ts';
import { createSender } from './send.ts';

export interface ImportOptions {
  /** Its name in the audit trail. */
  readonly source: string;
  readonly paths: readonly string[];
  /** Path of the other system's file in a home directory. */
  readonly inHome?: string;
  /** Import only this account, if the files name accounts. */
  readonly user?: string | undefined;
  /** The file must not be readable by others. */
  readonly secret?: boolean;
  readonly parse: Parser;
  readonly dryRun: boolean;
  readonly json: boolean;
}

/**
 * Imports files of another system into sallyportd.
 *
 * Invariants: nothing of a file that cannot be read to its end is sent. An unreadable line blocks its account in all
 * files, and no other; so everything is read once before anything is sent, keeping only counts and the names in
 * unreadable lines. A file trusted only for its owner blocks only entries of its owner: it may contain any name.
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
    report.problem(problem(one.place, `the account is not imported; correct ${place} first`, one.user));
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

/** Skips entries of incomplete files. */
async function* whole(all: AsyncIterable<Parsed>, broken: ReadonlySet<string>): AsyncGenerator<Parsed> {
  for await (const one of all)
    yield one.kind === 'found' && broken.has(one.place.file)
      ? problem(one.place, 'the file cannot be read to its end, so nothing of it is imported', one.user)
      : one;
}

/** Files without an entry for any account, or for the requested one. */
function empty(
  files: readonly Named[],
  reported: ReadonlySet<string>,
  user: string | undefined,
): readonly Problem[] {
  const silent = files.filter(({ file, home }) => home === undefined && !reported.has(file));
  if (user === undefined)
    return silent.map(({ file }) =>
      problem({ file }, 'no account found; check that this is the right file and format'),
    );
  const [first] = reported.size === 0 ? silent : [];
  if (first === undefined) return [];
  return [
    problem({ file: first.file }, 'the account is not in the file; check the name, or omit --user', user),
  ];
}

function badKey(user: string, owner?: number): string {
  return `${owner ?? ''}:${user}`;
}
