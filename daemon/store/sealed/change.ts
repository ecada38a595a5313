import type { AuditEvent } from '../../audit/event.ts';
import type { Commit } from '../contract.ts';
import type { HashKey } from './hash-keys.ts';
import { tokenName } from './record-keys.ts';
import { encodeAccount, encodeEvent, encodeToken } from './records.ts';
import type { Drop } from './trail-pruning.ts';

export type Entry = readonly [key: Buffer, value: Buffer];

export interface EncodedEvent {
  readonly event: AuditEvent;
  readonly bytes: Buffer;
  /** Beyond the share of its account (shares.ts). */
  readonly overShare?: boolean;
}

/** A commit whose parts are checked and encoded. */
export interface Change {
  /** Of accounts and, under their own names, of tokens. */
  readonly records: readonly {
    readonly name: string;
    readonly version: number;
    readonly write?: Buffer | null;
  }[];
  readonly events: readonly EncodedEvent[];
  /** Entries as they were read, to be sealed with the present master key; those that changed since are left alone. */
  readonly reseal?: readonly Entry[];
  /** To be sealed and kept. */
  readonly hashKeys?: readonly HashKey[];
  readonly drop?: Drop;
}

/** Checks and encodes all of it before it queues: a mistake of the caller harms nobody else. */
export function encodeCommit({ accounts, tokens = [], events }: Commit): Change {
  const ofAccounts = accounts.map(({ account, version, write }) => ({
    name: account,
    version,
    ...(write === undefined ? {} : { write: write === null ? null : encodeAccount(write, account) }),
  }));
  const ofTokens = tokens.map(({ version, write }) => ({
    name: tokenName(write.token),
    version,
    write: encodeToken(write),
  }));
  return {
    records: [...ofAccounts, ...ofTokens],
    events: events.map((event) => ({ event, bytes: encodeEvent(event) })),
  };
}
