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
import { type LevelDb, openLevel } from '../store/leveldb/leveldb.ts';
import { readHashKeys } from '../store/sealed/hash-keys.ts';
import { offlineActor } from './drop-privileges.ts';
import { type Job, keysInUse, widestSkew, withStore } from './job.ts';
import type { OfflineContext } from './offline-context.ts';
import { openCopy } from './readonly-copy.ts';
import { rebuild, type Side } from './rebuild.ts';
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
    const taken = await take(options.input, join(directory, 'backup'), keyring, options.oldKeys);
    const { header, keys } = taken;
    const skip = options.ignoreStore || !existsSync(paths.store);
    const old = skip ? undefined : await openCopy(paths, keyring, join(directory, 'old'));
    for (const problem of old?.problems ?? []) work.tell({ problem });
    const anchor = skip ? usableAnchor(paths.anchor, keyring) : old?.anchor;
    const commit = 1 + Math.max(header.commit, old?.meta?.commit ?? 0, anchor?.commit ?? 0);
    // Under the id of the anchor: then the new store is valid under the old anchor too.
    const storeId = anchor?.storeId ?? header.storeId;
    const sealer = createSealer(keyring);
    const into = await StoreBuilder.begin(join(directory, 'new'), sealer, commit);
    const from: Side = { db: taken.db, sealer: createSealer(keys) };
    const now = Date.now();
    const meta = await metaIn(from);
    const relation = old && (meta === undefined ? 'diverged' : await lineageOf(old, meta));
    const isNewest = old?.isNewest === true && (relation === 'descendant' || relation === 'unrelated');
    const trail = old !== undefined && isNewest && relation === 'descendant' ? old : from;
    let heldUntil: number | undefined;
    try {
      heldUntil = await rebuild({
        from,
        ...(old === undefined
          ? {}
          : { other: { ...old, isNewest, sameLine: isSameLine(relation), since: header.commit } }),
        trail,
        isNewest: false,
        into,
        at: { now, skew: widestSkew(prepared) },
        say: (noted) => work.tell({ noted }),
        progress: (accounts) => work.progress(accounts),
      });
      const known = [...(await readHashKeys(from.db, from.sealer)), ...keysInUse(keys)];
      const theirs = old === undefined ? [] : await readHashKeys(old.db, old.sealer);
      const byId = new Map([...theirs, ...known].map((one) => [one.keyId, one]));
      for (const one of byId.values()) if (!keyring.has(one.keyId)) await into.hashKey(one);
      const said: AuditEvent = {
        kind: 'store',
        outcome: 'done',
        at: now,
        account: '',
        reason: `restored from backup of ${new Date(header.taken).toISOString()} at commit ${header.commit}`,
        actor: offlineActor,
      };
      await into.finish(storeId, said, 'restored', trail === old ? old.meta : meta);
    } catch (error) {
      await into.abandon();
      throw error;
    } finally {
      await taken.db.close();
      await old?.db.close();
    }
    const fresh = { directory: join(directory, 'new'), storeId, commit };
    const aside = options.dryRun
      ? undefined
      : replaceStore({
          store: paths.store,
          anchor: paths.anchor,
          keyring,
          exchange: addon.exchange,
          oldAnchor: anchor,
          fresh,
          now,
        });
    work.tell({
      done: {
        header,
        accounts: into.accounts,
        commit,
        storeWasRead: old !== undefined,
        storeWasNewest: isNewest,
        ...(heldUntil === undefined ? {} : { heldUntil }),
        ...(aside === undefined ? {} : { aside }),
      },
    });
  });
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
