import type { EventOrigin } from '../audit/aggregates.ts';
import type { AuditEvent, StoredAuditEvent } from '../audit/event.ts';
import type { AccountState } from '../policy/contract.ts';

/** What was typed and accepted last, as a digest: its replay within its own window is refused and counts nowhere. */
export interface AcceptedAnswer {
  readonly digest: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly until: number;
}

/** All that is kept of one account. */
export interface AccountRecord extends AccountState {
  /** Canonical name (pw_name). */
  readonly account: string;
  /** Milliseconds since the epoch. */
  readonly created: number;
  /** With which somebody new may add a first factor, once. */
  readonly invite?: {
    /** Of the secret in the link; base64. */
    readonly digest: string;
    readonly expires: number;
    /** It stands for the password too. */
    readonly withoutPassword: boolean;
  };
  readonly accepted?: AcceptedAnswer;
  readonly lastLogin?: LastLogin;
}

export interface LastLogin {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly service: string;
  readonly source?: string;
  /** The second factor was right, and what came of the password is not known here; absent: it was let in. */
  readonly firstFactorVerified?: false;
}

/**
 * The record of an account that has none yet; it is stored with the first change, and not before.
 * @param uid the account's; undefined: not known
 */
export function emptyRecord(account: string, now: number, uid?: number): AccountRecord {
  const made = uid === undefined ? {} : { uid };
  return { account, ...made, created: now, factors: [], lock: { codes: 0, any: 0 }, grants: [] };
}

/** What is spent of a YubiKey, whoever it belongs to: one record for each key, and one for each public id. */
export interface YubikeyCounterRecord {
  /** `publicIdCounterName` or `aesKeyCounterName` (factors/yubikey.ts). */
  readonly token: string;
  /** Use counter * 256 + session counter; a press at or below it is spent. -1: not known here. */
  readonly lastPress: number;
  /** Digests of the blocks accepted last. */
  readonly spent: readonly string[];
}

/** A record and the version that a commit names. 0 means: there is none. */
export interface Versioned<T> {
  readonly value: T | undefined;
  readonly version: number;
}

/** One conditional, durable change: all of it or nothing (design, rule 1). */
export interface Commit {
  /**
   * Accounts that the change rests on or writes. Every one MUST still have the version named.
   * `write`: undefined leaves the record as it is; null removes it.
   */
  readonly accounts: readonly {
    readonly account: string;
    readonly version: number;
    readonly write?: AccountRecord | null;
  }[];
  /** Tokens that it writes, on the same terms. */
  readonly tokens?: readonly { readonly version: number; readonly write: YubikeyCounterRecord }[];
  readonly events: readonly AuditEvent[];
  /** Of events without a change: the party, which has verified no factor. They may be aggregated. */
  readonly from?: EventOrigin;
}

export type CommitOutcome = 'committed' | 'conflict';

export interface StoreHealth {
  readonly state: 'ok' | 'unwritable' | 'closed';
  /** Why it is unwritable, since when. */
  readonly reason?: string;
  readonly since?: number;
  /** How long the write that is under way has been, in milliseconds. */
  readonly writingFor?: number;
  readonly commit: number;
  readonly accounts: number;
  /** The first and the last place in the audit trail. */
  readonly events: { readonly first: number; readonly last: number };
  /** Bytes and events that the trail holds, and the link of the last event that has one (chain.ts). */
  readonly trail?: { readonly bytes: number; readonly held: number; readonly head?: string };
  readonly anchorCommit: number;
  readonly scrub: {
    readonly lastFinished?: number;
    readonly read: number;
    /** What the last pass found: sentences for people, the account named. */
    readonly findings: readonly string[];
  };
}

/** What is wrong with one place of the trail; docs/explanation/audit-chain.md says what each means. */
export type TrailFault =
  | 'missing'
  | 'damaged'
  | 'broken'
  | 'no-link'
  | 'segment'
  | 'beginning'
  | 'head'
  | 'beyond';

/** A stretch of the trail, checked. */
export interface TrailCheck {
  /** The trail as it was then. */
  readonly first: number;
  readonly last: number;
  /** How many places were read. */
  readonly checked: number;
  /** Where to go on; absent: the end was reached, and `head` is the link of the last event. */
  readonly next?: number;
  readonly head?: string;
  /** Events of a version without a chain; the first that carries a link. */
  readonly unchained: number;
  readonly chainedFrom?: number;
  /** Where segments begin. */
  readonly segments: readonly {
    readonly seq: number;
    readonly at: number;
    readonly daemon: string;
    readonly segment: number;
    readonly reason: SegmentReason;
  }[];
  /** How many places are wrong, and the first of them. */
  readonly faults: number;
  readonly findings: readonly { readonly seq: number; readonly fault: TrailFault }[];
  /** Rows that were dropped out of turn, and the events in them. */
  readonly gaps: number;
  readonly inGaps: number;
  /** What was ever dropped; absent: nothing, or by versions that did not count. */
  readonly dropped?: DropCount;
  /** The link of the event that was asked for; absent: it has none, or is not in this stretch. */
  readonly link?: string;
}

/** The store as the daemon sees it. LevelDB now; PostgreSQL later, behind the same contract. */
export interface Store {
  /** Fresh from disk. Throws `record-damaged` when tag, record and marker do not agree. */
  account(account: string): Promise<Versioned<AccountRecord>>;
  /** Fresh from disk, as `account`. */
  token(token: string): Promise<Versioned<YubikeyCounterRecord>>;
  /** Resolves after the change is durable. Throws `store-unwritable`: the change may still have been stored. */
  commit(commit: Commit): Promise<CommitOutcome>;
  /** In the order of names, from the first after `after`. A damaged record is reported, never skipped. */
  accounts(options: {
    readonly after?: string;
    readonly limit: number;
  }): Promise<
    readonly { readonly account: string; readonly record?: AccountRecord; readonly damaged?: string }[]
  >;
  /** Newest first unless `forward`; `from` is the first seq wanted. */
  events(options: {
    readonly from?: number;
    readonly since?: number;
    readonly account?: string;
    readonly limit: number;
    readonly forward?: boolean;
  }): Promise<readonly StoredAuditEvent[]>;
  /**
   * A page of the events that fit, in bounded time: at most `scan` places are read, and `next` says where to go on.
   * Absent: there is nothing more. `until` is the first moment that is too late.
   */
  search(options: {
    readonly from?: number;
    readonly since?: number;
    readonly until?: number;
    readonly fits: (event: StoredAuditEvent) => boolean;
    readonly limit: number;
    readonly scan: number;
    readonly forward?: boolean;
  }): Promise<{ readonly events: readonly StoredAuditEvent[]; readonly next?: number }>;
  /** Whether each event follows on the one before; from the place `from`, `scan` places at the most. */
  checkTrail(options: {
    readonly from?: number;
    readonly scan: number;
    /** Whose link is to be told. */
    readonly linkOf?: number;
  }): Promise<TrailCheck>;
  /** Called after each commit with events, in order. Returns how to stop. */
  follow(listener: (event: StoredAuditEvent) => void): () => void;
  health(): StoreHealth;
  /** Reads everything once; findings are in health(). Runs by itself in the background too. */
  scrub(): Promise<void>;
  /** Drops audit events over age, count or size; the store's size stays bounded. */
  pruneEvents(options: {
    readonly before: number;
    readonly keep: number;
    readonly keepBytes?: number;
  }): Promise<number>;
  close(): Promise<void>;
}

/**
 * Why a segment begins. new-store: with the first event of all; earlier-version: the events before come from a
 * version without a chain; restored: from a backup; repaired: after a repair.
 */
export const segmentReasons = ['new-store', 'earlier-version', 'restored', 'repaired'] as const;

export type SegmentReason = (typeof segmentReasons)[number];

/** Events that were dropped: too old, for the size of the trail, beyond the share of their account. */
export interface DropCount {
  readonly age: number;
  readonly size: number;
  readonly share: number;
  /** When the newest happened that went for size or share; milliseconds since the epoch. */
  readonly newest?: number;
}
