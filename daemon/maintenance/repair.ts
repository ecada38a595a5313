import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { AuditEvent } from '../audit/event.ts';
import type { Addon } from '../host/addon.ts';
import { SallyportError } from '../lib/errors.ts';
import { claimedVersion, createSealer } from '../sealing/seal.ts';
import type { LevelDb } from '../store/leveldb/leveldb.ts';
import { readHashKeys } from '../store/sealed/hash-keys.ts';
import { markerRange, recordRange } from '../store/sealed/record-keys.ts';
import { findingsIn } from './check.ts';
import { offlineActor } from './drop-privileges.ts';
import { type Job, widestSkew, withStore } from './job.ts';
import type { OfflineContext } from './offline-context.ts';
import { openCopy, type ReadonlyCopy } from './readonly-copy.ts';
import { rebuild } from './rebuild.ts';
import { replaceStore } from './replace-store.ts';
import { StoreBuilder } from './store-builder.ts';

/**
 * `sallyportd --repair-store`: makes a new store out of what can be read of the one that is there, and an anchor
 * for it: here, and after a restore, and nowhere else.
 *
 * Invariants:
 * - only records whose tags are right are saved; all others are refused from then on, and said;
 * - unless the anchor says that it is the newest store, it is taken for an old one: as in a restore, nothing that
 *   may be used comes back;
 * - a store that is whole is left as it is.
 *
 * @param resetAccounts accounts to reset if their records are lost
 * @throws SallyportError store-locked, store-damaged, store-unwritable
 */
export function repair(
  prepared: OfflineContext,
  addon: Addon,
  work: Job,
  resetAccounts: readonly string[] = [],
): Promise<void> {
  return withStore(prepared, addon, async (directory) => {
    const { paths, keyring } = prepared;
    mkdirSync(directory, { mode: 0o700 });
    const copy = join(directory, 'old');
    const old = await openCopy(paths, keyring, copy);
    if (old === undefined) throw nothingLeft(paths.store);
    try {
      if (await isWhole(old, copy, work)) {
        work.tell({ done: { whole: true, accounts: old.meta?.accounts ?? 0 } });
        return;
      }
      const now = Date.now();
      const plan = await planOf(old, resetAccounts);
      const fresh = { directory: join(directory, 'new'), storeId: plan.storeId, commit: plan.commit };
      const { accounts, heldUntil } = await writeSaved(prepared, plan, fresh.directory, now, work);
      const aside = replaceStore({
        store: paths.store,
        anchor: paths.anchor,
        keyring,
        exchange: addon.exchange,
        oldAnchor: old.anchor,
        fresh,
        now,
      });
      work.tell({
        done: {
          whole: false,
          accounts,
          commit: plan.commit,
          storeWasNewest: old.isNewest,
          aside,
          ...(heldUntil === undefined ? {} : { heldUntil }),
        },
      });
    } finally {
      await old.db.close();
    }
  });
}

/** Reports each problem. @param copy where `old` lies */
async function isWhole(old: ReadonlyCopy, copy: string, work: Job): Promise<boolean> {
  const findings = await findingsIn(old, copy, work);
  for (const problem of [...old.problems, ...findings]) work.tell({ problem });
  return old.isNewest && old.problems.length === 0 && findings.length === 0;
}

interface RepairPlan {
  readonly old: ReadonlyCopy;
  readonly resetAccounts: readonly string[];
  /** How far the old store came. */
  readonly stood: number;
  /** Of the new store. */
  readonly commit: number;
  readonly storeId: string;
}

async function planOf(old: ReadonlyCopy, resetAccounts: readonly string[]): Promise<RepairPlan> {
  const stood = old.meta?.commit ?? (await highestVersion(old.db));
  return {
    old,
    resetAccounts,
    stood,
    commit: 1 + Math.max(stood, old.anchor?.commit ?? 0),
    storeId: old.anchor?.storeId ?? old.meta?.storeId ?? randomBytes(16).toString('hex'),
  };
}

/** @returns what the new store holds, once it is durable */
async function writeSaved(
  prepared: OfflineContext,
  plan: RepairPlan,
  directory: string,
  now: number,
  work: Job,
): Promise<{ readonly accounts: number; readonly heldUntil: number | undefined }> {
  const { old, resetAccounts } = plan;
  const into = await StoreBuilder.begin(directory, createSealer(prepared.keyring), plan.commit);
  try {
    const heldUntil = await rebuild({
      from: old,
      trail: old,
      isNewest: old.isNewest,
      resetAccounts: new Set(resetAccounts),
      into,
      at: { now, skew: widestSkew(prepared) },
      say: (noted) => work.tell({ noted }),
      progress: (accounts) => work.progress(accounts),
    });
    // An empty store would let in accounts that had a factor.
    if (into.accounts === 0 && old.meta === undefined) throw nothingLeft(prepared.paths.store);
    for (const one of await readHashKeys(old.db, old.sealer)) await into.hashKey(one);
    await into.finish(plan.storeId, repairedEvent(plan, now), 'repaired', old.meta);
    return { accounts: into.accounts, heldUntil };
  } catch (error) {
    await into.abandon().catch(() => undefined);
    throw error;
  }
}

function repairedEvent({ stood, resetAccounts }: RepairPlan, at: number): AuditEvent {
  const givenUp = resetAccounts.length === 0 ? '' : `, given up: ${resetAccounts.join(', ')}`;
  return {
    kind: 'store',
    outcome: 'done',
    at,
    account: '',
    reason: `repaired from what could be read at commit ${stood}${givenUp}`,
    actor: offlineActor,
  };
}

function nothingLeft(store: string): SallyportError {
  return new SallyportError(
    'store-damaged',
    `nothing of the store ${store} can be read. Nothing was changed; restore it from a backup: sallyport restore FILE`,
  );
}

/** Where the store does not say itself how far it came. */
async function highestVersion(db: LevelDb): Promise<number> {
  let highest = 0;
  for (const range of [recordRange, markerRange])
    for await (const [, value] of db.iterator({ ...range, fillCache: false }))
      highest = Math.max(highest, claimedVersion(value) ?? 0);
  return highest;
}
