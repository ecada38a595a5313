import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '../../lib/errors.ts';
import { limits } from '../../limits.ts';
import type { Sealer } from '../../sealing/seal.ts';
import { slots } from './audit-trail.ts';
import type { Db, DbSnapshot } from './db.ts';
import { openMeta } from './meta.ts';
import { openPair, readPairs } from './reader.ts';
import { isTokenName, metaKey } from './record-keys.ts';
import { decodeAccount, decodeToken } from './records.ts';

/** Checks the engine's own files: yields a sentence for each damaged one, undefined for each intact one. */
export type FileCheck = () => AsyncIterable<string | undefined>;

export interface ScrubOptions {
  readonly db: Db;
  readonly sealer: Sealer;
  readonly checkFiles: FileCheck;
  /** Milliseconds between batches; keeps the priority low. */
  readonly pause: number;
  /** Called with one readable sentence per finding. */
  readonly found: (finding: string) => void;
  readonly read: (records: number) => void;
  /** Ends the scrub early, when the store closes. */
  readonly signal: AbortSignal;
}

/**
 * Reads everything through one snapshot: each tag, whether each record has its marker and the reverse, the number
 * of accounts, the audit trail without gaps, and the engine's own files. Changes nothing.
 */
export async function scrubStore(options: ScrubOptions): Promise<void> {
  // First, because damage in these files makes the engine itself fail.
  await scrubFiles(options);
  const snapshot = options.db.snapshot();
  try {
    const accounts = await scrubAccounts(options, snapshot);
    await scrubCount(options, snapshot, accounts);
    await scrubTrail(options, snapshot);
  } finally {
    if (options.db.status === 'open') await snapshot.close();
  }
}

async function scrubAccounts(options: ScrubOptions, snapshot: DbSnapshot): Promise<number> {
  let count = 0;
  for (let after: Buffer | undefined; ; ) {
    const page = await readPairs(options.db, { after, limit: limits.scrubBatch, snapshot });
    for (const pair of page) {
      const isToken = isTokenName(pair.account);
      if (!isToken) count += 1;
      try {
        openPair<unknown>(options.sealer, pair, isToken ? decodeToken : decodeAccount);
      } catch (error) {
        options.found(messageOf(error));
      }
    }
    options.read(page.length);
    after = page.at(-1)?.name;
    if (!after) return count;
    await rest(options);
  }
}

async function scrubCount(options: ScrubOptions, snapshot: DbSnapshot, found: number): Promise<void> {
  const stored = await options.db.get(metaKey, { snapshot });
  if (!stored) {
    options.found('The store does not say any more what it holds.');
    return;
  }
  try {
    const { accounts } = openMeta(options.sealer, stored);
    if (accounts !== found) {
      options.found(`The store says that it holds ${accounts} accounts, but there are ${found}.`);
    }
  } catch (error) {
    options.found(`What the store says of itself is damaged: ${messageOf(error)}`);
  }
}

async function scrubTrail(options: ScrubOptions, snapshot: DbSnapshot): Promise<void> {
  let count = 0;
  for await (const { seq, problem } of slots(options.db, options.sealer, snapshot, { forward: true })) {
    if (problem) {
      options.found(`Audit event ${seq} is ${problem === 'event-missing' ? 'missing' : 'damaged'}.`);
    }
    count += 1;
    if (count % limits.scrubBatch !== 0) continue;
    options.read(limits.scrubBatch);
    await rest(options);
  }
  options.read(count % limits.scrubBatch);
}

async function scrubFiles(options: ScrubOptions): Promise<void> {
  for await (const damage of options.checkFiles()) {
    if (damage) options.found(damage);
    await rest(options);
  }
}

/** A background pass does not keep the process alive; a requested pass does. */
async function rest({ pause: time, signal }: ScrubOptions): Promise<void> {
  await pause(time, undefined, { signal, ref: time === 0 });
}
