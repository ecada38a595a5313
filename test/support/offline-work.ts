import { Readable } from 'node:stream';
import { writeBackup } from '../../daemon/api/backup-format.ts';
import { parseConfig } from '../../daemon/config/load.ts';
import { loadAddon } from '../../daemon/host/addon.ts';
import type { Noted } from '../../daemon/maintenance/conservative-merge.ts';
import { backupOf } from '../../daemon/maintenance/maintenance.ts';
import type { OfflineContext } from '../../daemon/maintenance/offline-context.ts';
import { repair } from '../../daemon/maintenance/repair.ts';
import { type RestoreOptions, restore } from '../../daemon/maintenance/restore.ts';
import type { LevelStore } from '../../daemon/store/leveldb/level-store.ts';
import type { StoreRig } from './store-rig.ts';

/** Backups, restores and repairs of a store, without a process for each. */
function preparedOf(rig: StoreRig): OfflineContext {
  const parsed = parseConfig('[[realm]]\nname = "all"\nrequire = "none"\n', 'test.toml', 'host');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const paths = { ...parsed.config.paths, store: rig.directory, anchor: rig.anchor, masterKey: rig.key };
  const config = { ...parsed.config, paths };
  return {
    configuration: {
      current: () => config,
      loaded: () => 0,
      problem: () => undefined,
      reload: () => config,
      keep: () => undefined,
    },
    keyring: rig.options().keyring,
    paths,
  };
}

export interface WorkerReport {
  readonly noted: readonly Noted[];
  readonly problems: readonly string[];
  readonly done: Readonly<Record<string, unknown>>;
}

async function reported(work: (tell: (what: object) => void) => Promise<void>): Promise<WorkerReport> {
  const noted: Noted[] = [];
  const problems: string[] = [];
  let done = {};
  await work((what) => {
    if ('noted' in what) noted.push(what.noted as Noted);
    if ('problem' in what) problems.push(String(what.problem));
    if ('done' in what) done = what.done as object;
  });
  return { noted, problems, done };
}

export async function backupBytes(rig: StoreRig, store: LevelStore, withMasterKey = false): Promise<Buffer> {
  const { keyring } = rig.options();
  const snapshot = await store.snapshot();
  const maintenance = { keyring, version: 'test', now: Date.now };
  const chunks: Buffer[] = [];
  for await (const chunk of writeBackup(backupOf(maintenance, snapshot, { withMasterKey })))
    chunks.push(chunk);
  await snapshot.close();
  return Buffer.concat(chunks);
}

export function restored(
  rig: StoreRig,
  backup: Buffer,
  options: Partial<RestoreOptions> = {},
): Promise<WorkerReport> {
  const input = Readable.from([backup]);
  const all = { dryRun: false, ignoreStore: false, oldKeys: undefined, ...options, input };
  return reported((tell) => restore(preparedOf(rig), loadAddon(), all, { tell, progress: () => undefined }));
}

export function repaired(rig: StoreRig, resetAccounts: readonly string[] = []): Promise<WorkerReport> {
  return reported((tell) =>
    repair(preparedOf(rig), loadAddon(), { tell, progress: () => undefined }, resetAccounts),
  );
}
