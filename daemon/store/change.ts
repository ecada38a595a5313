import type { AuditEvent } from '../audit/event.ts';
import type { Commit } from './contract.ts';
import { encodeAccount, encodeEvent } from './records.ts';

/** A commit whose parts are checked and encoded. */
export interface Change {
  readonly accounts: readonly {
    readonly account: string;
    readonly version: number;
    readonly write?: Buffer | null;
  }[];
  readonly events: readonly { readonly event: AuditEvent; readonly bytes: Buffer }[];
  /** Events up to this one are dropped. */
  readonly dropEventsTo?: number;
}

/** Checks and encodes all of it before it queues: a mistake of the caller harms nobody else. */
export function encodeCommit({ accounts, events }: Commit): Change {
  return {
    accounts: accounts.map(({ account, version, write }) => ({
      account,
      version,
      ...(write === undefined ? {} : { write: write === null ? null : encodeAccount(write, account) }),
    })),
    events: events.map((event) => ({ event, bytes: encodeEvent(event) })),
  };
}
