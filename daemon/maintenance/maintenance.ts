import { createHmac } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { hostname } from 'node:os';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type BackupContents, writeBackup } from '../api/backup-format.ts';
import type { BackupBody } from '../api/schema.ts';
import { messageOf, SallyportError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { limits } from '../limits.ts';
import type { Keyring } from '../sealing/keyring.ts';
import type { Rotation } from '../store/sealed/rotation.ts';
import type { StoreSnapshot } from '../store/sealed/snapshot.ts';
import type { AuditedStore } from '../verifier/audited-store.ts';

/** What keeping a store safe needs beside what people ask of it. */
export interface Maintenance {
  readonly store: { snapshot(): Promise<StoreSnapshot>; scrub(): Promise<void> };
  readonly keyring: Keyring;
  readonly rotation: Rotation;
  readonly auditedStore: Pick<AuditedStore, 'note'>;
  readonly log: Log;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** A scrub at full speed, beside everything else. @returns since when one that finished counts */
export function beginCheck(maintenance: Maintenance | undefined): { readonly since: number } {
  if (maintenance === undefined)
    throw new SallyportError('no-such-operation', 'this store cannot be checked');
  const since = maintenance.now();
  maintenance.store
    .scrub()
    .catch((error: unknown) => maintenance.log.error('check-not-finished', { message: messageOf(error) }));
  return { since };
}

/** What a backup of this very moment holds. */
export function backupOf(
  { keyring, version, now }: Pick<Maintenance, 'keyring' | 'version' | 'now'>,
  snapshot: StoreSnapshot,
  { withMasterKey }: BackupBody,
): BackupContents {
  const { meta, schema, entries } = snapshot;
  const keyId = keyring.current;
  return {
    header: {
      schema,
      storeId: meta.storeId,
      commit: meta.commit,
      accounts: meta.accounts,
      events: { first: meta.first, last: meta.last },
      taken: now(),
      host: hostname(),
      version,
      keyId,
      withMasterKey,
    },
    ...(withMasterKey ? { masterKey: keyring.text() } : {}),
    entries,
    mac: (digest) => createHmac('sha256', keyring.key('backup', keyId)).update(digest).digest('hex'),
  };
}

/**
 * Sends a backup, from a snapshot, while everything else goes on.
 *
 * Invariants:
 * - no record is decrypted for it: records are sent encrypted, and the master key only on request;
 * - a truncated answer never looks complete: it lacks its trailer;
 * - a client that reads nothing for a while is disconnected, so that no snapshot is kept forever.
 */
export async function sendBackup(
  maintenance: Maintenance | undefined,
  actor: string,
  asked: BackupBody,
  response: ServerResponse,
): Promise<void> {
  if (maintenance === undefined)
    throw new SallyportError('no-such-operation', 'no backup can be taken of this store');
  const reason = asked.withMasterKey ? 'backup-with-key' : 'backup';
  await maintenance.auditedStore.note({
    kind: 'store',
    outcome: 'done',
    at: maintenance.now(),
    account: '',
    reason,
    actor,
  });
  const snapshot = await maintenance.store.snapshot();
  response.socket?.setTimeout(limits.backupStall);
  response.writeHead(200, { 'content-type': 'application/octet-stream' });
  try {
    await pipeline(Readable.from(writeBackup(backupOf(maintenance, snapshot, asked))), response);
  } catch (error) {
    maintenance.log.warning('backup-not-finished', { actor, message: messageOf(error) });
    response.destroy();
  } finally {
    await snapshot.close();
  }
}
