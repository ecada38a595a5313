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
import { openCopy } from './readonly-copy.ts';
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
    const old = await openCopy(paths, keyring, join(directory, 'old'));
    if (old === undefined) throw nothingLeft(paths.store);
    const now = Date.now();
    const sealer = createSealer(keyring);
    let into: StoreBuilder | undefined;
    try {
      const findings = await findingsIn(old, join(directory, 'old'), work);
      for (const problem of [...old.problems, ...findings]) work.tell({ problem });
      if (old.isNewest && old.problems.length === 0 && findings.length === 0) {
        work.tell({ done: { whole: true, accounts: old.meta?.accounts ?? 0 } });
        return;
      }
      const stood = old.meta?.commit ?? (await highestVersion(old.db));
      const commit = 1 + Math.max(stood, old.anchor?.commit ?? 0);
      const storeId = old.anchor?.storeId ?? old.meta?.storeId ?? randomBytes(16).toString('hex');
      into = await StoreBuilder.begin(join(directory, 'new'), sealer, commit);
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
      if (into.accounts === 0 && old.meta === undefined) throw nothingLeft(paths.store);
      for (const one of await readHashKeys(old.db, old.sealer)) await into.hashKey(one);
      const said: AuditEvent = {
        kind: 'store',
        outcome: 'done',
        at: now,
        account: '',
        reason: `repaired from what could be read at commit ${stood}${resetAccounts.length === 0 ? '' : `, given up: ${resetAccounts.join(', ')}`}`,
        actor: offlineActor,
      };
      await into.finish(storeId, said, 'repaired', old.meta);
      const { accounts } = into;
      into = undefined;
      const aside = replaceStore({
        store: paths.store,
        anchor: paths.anchor,
        keyring,
        exchange: addon.exchange,
        oldAnchor: old.anchor,
        fresh: { directory: join(directory, 'new'), storeId, commit },
        now,
      });
      work.tell({
        done: {
          whole: false,
          accounts,
          commit,
          storeWasNewest: old.isNewest,
          aside,
          ...(heldUntil === undefined ? {} : { heldUntil }),
        },
      });
    } finally {
      await into?.abandon().catch(() => undefined);
      await old.db.close();
    }
  });
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
