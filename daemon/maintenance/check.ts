import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Addon } from '../host/addon.ts';
import { messageOf } from '../lib/errors.ts';
import { checkLiveTables } from '../store/leveldb/format/tables.ts';
import { scrubStore } from '../store/sealed/scrub.ts';
import { type Job, withStore } from './job.ts';
import type { OfflineContext } from './offline-context.ts';
import { openCopy, type ReadonlyCopy } from './readonly-copy.ts';

/**
 * `sallyportd --check-store`: reads all of a store that no daemon has open. Changes nothing: what LevelDB has to
 * open is a copy, its tables linked.
 *
 * @throws SallyportError store-locked
 */
export function checkStore(prepared: OfflineContext, addon: Addon, work: Job): Promise<void> {
  return withStore(prepared, addon, async (directory) => {
    mkdirSync(directory, { mode: 0o700 });
    const copy = await openCopy(prepared.paths, prepared.keyring, join(directory, 'old'));
    for (const problem of copy?.problems ?? ['Nothing of it can be read.']) work.tell({ problem });
    try {
      const findings = copy === undefined ? [] : await findingsIn(copy, join(directory, 'old'), work);
      const whole = copy !== undefined && copy.problems.length === 0 && findings.length === 0;
      for (const problem of findings) work.tell({ problem });
      const { commit = 0, accounts = 0 } = copy?.meta ?? {};
      work.tell({ done: { whole, commit, accounts } });
    } finally {
      await copy?.db.close();
    }
  });
}

export async function findingsIn(
  { db, sealer }: ReadonlyCopy,
  directory: string,
  work: Job,
): Promise<readonly string[]> {
  const findings: string[] = [];
  let records = 0;
  const scrubbed = scrubStore({
    db,
    sealer,
    checkFiles: () => checkLiveTables(directory),
    pause: 0,
    found: (finding) => void findings.push(finding),
    read: (count) => {
      records += count;
      work.progress(records);
    },
    signal: new AbortController().signal,
  });
  // An error that ends the reading is a finding too: a repair has to get past it.
  await scrubbed.catch((error: unknown) => {
    if (!findings.includes(messageOf(error))) findings.push(messageOf(error));
  });
  return findings;
}
