import type { AuditEvent } from '../../audit/event.ts';
import type { Commit } from '../contract.ts';
import type { HashKey } from './hash-keys.ts';
import { frozen, type StoredRecord } from './known-records.ts';
import { tokenName } from './record-keys.ts';
import { encodeAccount, encodeEvent, encodeToken } from './records.ts';
import type { Drop } from './trail-pruning.ts';

export type Entry = readonly [key: Buffer, value: Buffer];

export interface EncodedEvent {
  readonly event: AuditEvent;
  readonly bytes: Buffer;
  /** Beyond the share of its account (trail-shares.ts). */
  readonly overShare?: boolean;
}

/** A commit whose parts have been checked and encoded. */
export interface Change {
  /** Records of accounts and, under names of a separate form, of YubiKey counters. */
  readonly records: readonly {
    readonly name: string;
    readonly version: number;
    readonly write?: Buffer | null;
    /** What `write` encodes, frozen; absent: not known. */
    readonly value?: StoredRecord;
  }[];
  readonly events: readonly EncodedEvent[];
  /** Entries as they were read, to be resealed with the current master key; entries changed since are skipped. */
  readonly reseal?: readonly Entry[];
  /** Hash keys to be sealed and kept. */
  readonly hashKeys?: readonly HashKey[];
  readonly drop?: Drop;
}

/** Checks and encodes the whole commit before it queues: a caller's mistake affects no other commit. */
export function encodeCommit({ accounts, tokens = [], events }: Commit): Change {
  const ofAccounts = accounts.map(({ account, version, write }) => ({
    name: account,
    version,
    ...(write === undefined ? {} : { write: write === null ? null : encodeAccount(write, account) }),
    ...(write ? { value: frozen(write) } : {}),
  }));
  const ofTokens = tokens.map(({ version, write }) => ({
    name: tokenName(write.token),
    version,
    write: encodeToken(write),
    value: frozen(write),
  }));
  return {
    records: [...ofAccounts, ...ofTokens],
    events: events.map((event) => ({ event, bytes: encodeEvent(event) })),
  };
}
