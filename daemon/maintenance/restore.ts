import { createHmac, timingSafeEqual } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type BackupHeader, type BackupTrailer, readBackup } from '../api/backup-format.ts';
import type { AuditEvent } from '../audit/event.ts';
import type { Addon } from '../host/addon.ts';
import { SallyportError } from '../lib/errors.ts';
import { type Keyring, mergedKeyring, parseKeyring } from '../sealing/keyring.ts';
import { createSealer, sealSchema } from '../sealing/seal.ts';
import type { AnchorState } from '../store/leveldb/anchor.ts';
import { type LevelDb, openLevel } from '../store/leveldb/leveldb.ts';
import { type HashKey, readHashKeys } from '../store/sealed/hash-keys.ts';
import type { Meta } from '../store/sealed/meta.ts';
import { offlineActor } from './drop-privileges.ts';
import { type Job, keysInUse, widestSkew, withStore } from './job.ts';
import type { OfflineContext } from './offline-context.ts';
import { openCopy, type ReadonlyCopy } from './readonly-copy.ts';
import { type Rebuild, rebuild, type Side } from './rebuild.ts';
import { replaceStore, usableAnchor } from './replace-store.ts';
import { metaIn, StoreBuilder } from './store-builder.ts';
import { lineageOf, type StoreLineage } from './store-lineage.ts';

export interface RestoreOptions {
  /** What the backup holds, opened. */
  readonly input: Readable;
  /** Change nothing, and say what would be. */
  readonly dryRun: boolean;
  /** The store that is there is not even read: every recovery set is void. */
  readonly ignoreStore: boolean;
  /** A master key file of before. */
  readonly oldKeys: Keyring | undefined;
}

/**
 * `sallyportd --restore`: makes a new store out of a backup and, as far as it can be read, of the store that is
 * there, and puts it in its place.
 *
 * Invariants:
 * - nothing is changed before the backup was read to its end and every check of it was passed;
 * - nothing that was used comes back (conservative-merge.ts).
 *
 * @throws SallyportError store-locked, store-key, store-schema, backup-damaged, backup-schema, store-unwritable
 */
export function restore(
  prepared: OfflineContext,
  addon: Addon,
  options: RestoreOptions,
  work: Job,
): Promise<void> {
  return withStore(prepared, addon, async (directory) => {
    const { paths, keyring } = prepared;
    mkdirSync(directory, { mode: 0o700 });
    const sources = await openSources(prepared, options, directory);
    const { backup, old, anchor } = sources;
    for (const problem of old?.problems ?? []) work.tell({ problem });
    const now = Date.now();
    const newDirectory = join(directory, 'new');
    let plan: RestorePlan;
    let written: Written;
    try {
      plan = await planOf(sources);
      written = await writeRestored(prepared, sources, plan, newDirectory, now, work);
    } finally {
      await backup.db.close();
      await old?.db.close();
    }
    const { storeId, commit, isNewest } = plan;
    const aside = options.dryRun
      ? undefined
      : replaceStore({
          store: paths.store,
          anchor: paths.anchor,
          keyring,
          exchange: addon.exchange,
          oldAnchor: anchor,
          fresh: { directory: newDirectory, storeId, commit },
          now,
        });
    work.tell({
      done: {
        header: backup.header,
        accounts: written.accounts,
        commit,
        storeWasRead: old !== undefined,
        storeWasNewest: isNewest,
        ...(written.heldUntil === undefined ? {} : { heldUntil: written.heldUntil }),
        ...(aside === undefined ? {} : { aside }),
      },
    });
  });
}

interface Sources {
  readonly backup: Taken;
  /** The store that is there, if it is to be read and can be. */
  readonly old: ReadonlyCopy | undefined;
  readonly anchor: AnchorState | undefined;
}

async function openSources(
  { paths, keyring }: OfflineContext,
  options: RestoreOptions,
  directory: string,
): Promise<Sources> {
  const backup = await take(options.input, join(directory, 'backup'), keyring, options.oldKeys);
  if (options.ignoreStore || !existsSync(paths.store))
    return { backup, old: undefined, anchor: usableAnchor(paths.anchor, keyring) };
  const old = await openCopy(paths, keyring, join(directory, 'old'));
  return { backup, old, anchor: old?.anchor };
}

/** What the new store is made of. */
interface RestorePlan {
  readonly from: Side;
  readonly other: Rebuild['other'];
  /** Whose audit trail goes on, and what that store says of itself. */
  readonly trail: Side;
  readonly trailMeta: Meta | undefined;
  /** The store that is there is known to be the newest. */
  readonly isNewest: boolean;
  readonly commit: number;
  readonly storeId: string;
}

async function planOf({ backup, old, anchor }: Sources): Promise<RestorePlan> {
  const { header } = backup;
  const from: Side = { db: backup.db, sealer: createSealer(backup.keys) };
  const meta = await metaIn(from);
  const relation = old && (meta === undefined ? 'diverged' : await lineageOf(old, meta));
  const isNewest = old?.isNewest === true && (relation === 'descendant' || relation === 'unrelated');
  const goesOn = isNewest && relation === 'descendant';
  return {
    from,
    other: old && { ...old, isNewest, sameLine: isSameLine(relation), since: header.commit },
    trail: goesOn ? old : from,
    trailMeta: goesOn ? old.meta : meta,
    isNewest,
    commit: 1 + Math.max(header.commit, old?.meta?.commit ?? 0, anchor?.commit ?? 0),
    // Under the id of the anchor: then the new store is valid under the old anchor too.
    storeId: anchor?.storeId ?? header.storeId,
  };
}

interface Written {
  readonly accounts: number;
  readonly heldUntil: number | undefined;
}

/** @returns what the new store holds, once it is durable */
async function writeRestored(
  prepared: OfflineContext,
  { backup, old }: Sources,
  { from, other, trail, trailMeta, commit, storeId }: RestorePlan,
  directory: string,
  now: number,
  work: Job,
): Promise<Written> {
  const { keyring } = prepared;
  const into = await StoreBuilder.begin(directory, createSealer(keyring), commit);
  try {
    const heldUntil = await rebuild({
      from,
      ...(other === undefined ? {} : { other }),
      trail,
      isNewest: false,
      into,
      at: { now, skew: widestSkew(prepared) },
      say: (noted) => work.tell({ noted }),
      progress: (accounts) => work.progress(accounts),
    });
    for (const one of await hashKeysOf(from, old, backup.keys))
      if (!keyring.has(one.keyId)) await into.hashKey(one);
    await into.finish(storeId, restoredEvent(backup.header, now), 'restored', trailMeta);
    return { accounts: into.accounts, heldUntil };
  } catch (error) {
    await into.abandon();
    throw error;
  }
}

/** All with which a recovery set of either store may have been hashed; those of the backup win. */
async function hashKeysOf(
  from: Side,
  old: ReadonlyCopy | undefined,
  keys: Keyring,
): Promise<Iterable<HashKey>> {
  const known = [...(await readHashKeys(from.db, from.sealer)), ...keysInUse(keys)];
  const theirs = old === undefined ? [] : await readHashKeys(old.db, old.sealer);
  return new Map([...theirs, ...known].map((one) => [one.keyId, one])).values();
}

function restoredEvent({ taken, commit }: BackupHeader, at: number): AuditEvent {
  return {
    kind: 'store',
    outcome: 'done',
    at,
    account: '',
    reason: `restored from backup of ${new Date(taken).toISOString()} at commit ${commit}`,
    actor: offlineActor,
  };
}

/** Whether their commit numbers, and what one lacks, are comparable. */
function isSameLine(relation: StoreLineage | undefined): boolean {
  return relation === 'descendant' || relation === 'older';
}

interface Taken {
  readonly header: BackupHeader;
  readonly db: LevelDb;
  readonly keys: Keyring;
}

/** The unchanged backup, in a separate database. */
async function take(
  input: Readable,
  directory: string,
  own: Keyring,
  oldKeys: Keyring | undefined,
): Promise<Taken> {
  const db = await openLevel(directory, true);
  try {
    let header: BackupHeader | undefined;
    let keys = oldKeys === undefined ? own : mergedKeyring(own, oldKeys);
    let page: { type: 'put'; key: Buffer; value: Buffer }[] = [];
    for await (const part of readBackup(input)) {
      if (part.kind === 'header') header = fitting(part.header);
      else if (part.kind === 'key')
        keys = mergedKeyring(keys, parseKeyring(part.text, { path: 'the backup', credential: false }));
      else if (part.kind === 'entry') {
        page.push({ type: 'put', key: part.key, value: part.value });
        if (page.length >= 512) await db.batch(page.splice(0));
      } else if (header !== undefined) {
        await db.batch(page);
        page = [];
        refuseForeign(header, part.trailer, keys);
        return { header, db, keys };
      }
    }
    throw new SallyportError('backup-damaged', 'the backup has no end. Nothing was changed.');
  } catch (error) {
    await db.close();
    throw error;
  }
}

function fitting(header: BackupHeader): BackupHeader {
  if (header.schema <= sealSchema) return header;
  throw new SallyportError(
    'store-schema',
    `the backup was taken by a newer Sallyport (${header.version}). Nothing was changed; install that version.`,
  );
}

/** Anybody who knows a public key can encrypt to it: only the master key shows that it is a backup of ours. */
function refuseForeign({ keyId }: BackupHeader, { digest, mac }: BackupTrailer, keys: Keyring): void {
  if (!keys.has(keyId))
    throw new SallyportError(
      'store-key',
      `the backup is sealed with master key ${keyId}, which neither it nor this machine holds (${keys.ids.join(', ')}). Nothing was changed. Give the master key file of that time with --master-key FILE.`,
    );
  const expected = createHmac('sha256', keys.key('backup', keyId))
    .update(Buffer.from(digest, 'hex'))
    .digest();
  const given = Buffer.from(mac, 'hex');
  if (given.length === expected.length && timingSafeEqual(given, expected)) return;
  throw new SallyportError(
    'backup-damaged',
    'the backup was not made with its master key: it is forged. Nothing was changed.',
  );
}
