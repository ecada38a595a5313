import type { Context } from '../context.ts';
import { exitStatus } from '../errors.ts';
import { grouped, keyOf, parsedIn, placeText } from './accounts.ts';
import { type Parser, problem } from './contract.ts';
import { namedFiles } from './files.ts';
import { createReport } from './report.ts';
import { createSender } from './send.ts';

export interface ImportOptions {
  /** What the audit trail calls it. */
  readonly source: string;
  readonly paths: readonly string[];
  /** Where the other system keeps a file in a home. */
  readonly inHome?: string;
  /** Others must not even read it. */
  readonly secret?: boolean;
  readonly parse: Parser;
  readonly dryRun: boolean;
  readonly json: boolean;
}

/**
 * Reads files of another system and sends what is in them to sallyportd.
 *
 * What MUST hold: a line that cannot be read stops its account, wherever in the files the account stands, and no
 * other; so all is read once before anything is sent. What is kept of it is counts, and the names in bad lines. A file
 * that speaks for its owner alone stops nothing but what its owner says: in it anybody's name may stand.
 */
export async function runImport(context: Context, options: ImportOptions): Promise<void> {
  const { output, world } = context;
  const files = await namedFiles(options.paths, options.inHome, options.secret === true ? 0o077 : 0o022);
  const read = () => grouped(parsedIn(files, options.parse));
  const bad = new Map<string, string>();
  let total = 0;
  for await (const one of read()) {
    if (one.kind === 'found') total += 1;
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
  const sender = createSender({
    client: context.client(),
    source: options.source,
    dryRun: options.dryRun,
    answered: (one) => {
      report.answered(one);
      step();
    },
  });
  for await (const one of read()) {
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

function badKey(user: string, owner?: number): string {
  return `${owner ?? ''}:${user}`;
}
