import type { EventOrigin } from '../audit/aggregates.ts';
import type { AuditEvent, StoredAuditEvent } from '../audit/event.ts';
import type { AccountState } from '../policy/contract.ts';

/** Digest of the last accepted answer: its replay within its own window is refused and not counted. */
export interface AcceptedAnswer {
  readonly digest: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly until: number;
}

/** Everything stored about one account. */
export interface AccountRecord extends AccountState {
  /** Canonical name (pw_name). */
  readonly account: string;
  /** Milliseconds since the epoch. */
  readonly created: number;
  /** Single-use permission to enrol the account's first factor. */
  readonly invite?: {
    /** Digest of the secret in the link; base64. */
    readonly digest: string;
    readonly expires: number;
    /** The link replaces the password too. */
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
  /** The second factor was accepted, and the result of the password is unknown here; absent: login allowed. */
  readonly firstFactorVerified?: false;
}

/**
 * Record of an account that has none yet. It is stored with the first change, not before.
 * @param uid uid of the account; undefined: not known
 */
export function emptyRecord(account: string, now: number, uid?: number): AccountRecord {
  const made = uid === undefined ? {} : { uid };
  return { account, ...made, created: now, factors: [], lock: { codes: 0, any: 0 }, grants: [] };
}

/** Used presses of a YubiKey, whichever account owns it: one record per key, and one per public id. */
export interface YubikeyCounterRecord {
  /** `publicIdCounterName` or `aesKeyCounterName` (factors/yubikey.ts). */
  readonly token: string;
  /** Use counter * 256 + session counter; a press at or below it is used. -1: not known here. */
  readonly lastPress: number;
  /** Digests of the blocks accepted last. */
  readonly spent: readonly string[];
}

/** A record and the version that a commit names. Version 0: no record exists. */
export interface Versioned<T> {
  readonly value: T | undefined;
  readonly version: number;
}

/** One conditional, durable change, applied as a whole or not at all (design, rule 1). */
export interface Commit {
  /**
   * Accounts that the change depends on or writes. Each MUST still have the named version.
   * `write`: undefined leaves the record as it is; null removes it.
   */
  readonly accounts: readonly {
    readonly account: string;
    readonly version: number;
    readonly write?: AccountRecord | null;
  }[];
  /** YubiKey counter records that it writes, on the same terms. */
  readonly tokens?: readonly { readonly version: number; readonly write: YubikeyCounterRecord }[];
  readonly events: readonly AuditEvent[];
  /** For events without a change: the party, which has verified no factor. Such events may be aggregated. */
  readonly from?: EventOrigin;
}

export type CommitOutcome = 'committed' | 'conflict';

export interface StoreHealth {
  readonly state: 'ok' | 'unwritable' | 'closed';
  /** Why the store is unwritable, and since when. */
  readonly reason?: string;
  readonly since?: number;
  /** Duration of the write in progress, in milliseconds. */
  readonly writingFor?: number;
  readonly commit: number;
  readonly accounts: number;
  /** First and last sequence number in the audit trail. */
  readonly events: { readonly first: number; readonly last: number };
  /** Bytes and events in the trail, and the chain hash of the last event that has one (chain.ts). */
  readonly trail?: { readonly bytes: number; readonly held: number; readonly head?: string };
  readonly anchorCommit: number;
  readonly scrub: {
    readonly lastFinished?: number;
    readonly read: number;
    /** Findings of the last pass: readable sentences that name the account. */
    readonly findings: readonly string[];
  };
}

/** What is wrong at one position of the trail; docs/explanation/audit-chain.md explains each value. */
export type TrailFault =
  | 'missing'
  | 'damaged'
  | 'broken'
  | 'no-link'
  | 'segment'
  | 'beginning'
  | 'head'
  | 'beyond';

/** Result of checking a stretch of the trail. */
export interface TrailCheck {
  /** Bounds of the trail at that time. */
  readonly first: number;
  readonly last: number;
  /** Number of positions read. */
  readonly checked: number;
  /** Where to continue; absent: the end was reached, and `head` is the chain hash of the last event. */
  readonly next?: number;
  readonly head?: string;
  /** Number of events from a version without a chain; the first event that carries a chain hash. */
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
  /** Number of faults, and the first of them. */
  readonly faults: number;
  readonly findings: readonly { readonly seq: number; readonly fault: TrailFault }[];
  /** Number of runs of events dropped before older ones, and of the events in them. */
  readonly gaps: number;
  readonly inGaps: number;
  /** Total of dropped events; absent: none, or only by versions that did not count. */
  readonly dropped?: DropCount;
  /** Chain hash of the requested event; absent: it has none, or is not in this stretch. */
  readonly link?: string;
}

/** The store as the daemon sees it. LevelDB implements it now; PostgreSQL is to implement the same contract later. */
export interface Store {
  /**
   * As the last durable commit left it; callers MUST NOT change it. Throws `record-damaged` when tag, record and marker
   * do not agree on disk.
   */
  account(account: string): Promise<Versioned<AccountRecord>>;
  /** As `account`. */
  token(token: string): Promise<Versioned<YubikeyCounterRecord>>;
  /** Resolves after the change is durable. Throws `store-unwritable`: the change may still have been stored. */
  commit(commit: Commit): Promise<CommitOutcome>;
  /** In the order of names, starting after `after`. A damaged record is reported, never skipped. */
  accounts(options: {
    readonly after?: string;
    readonly limit: number;
  }): Promise<
    readonly { readonly account: string; readonly record?: AccountRecord; readonly damaged?: string }[]
  >;
  /** Newest first unless `forward`; `from` is the first sequence number wanted. */
  events(options: {
    readonly from?: number;
    readonly since?: number;
    readonly account?: string;
    readonly limit: number;
    readonly forward?: boolean;
  }): Promise<readonly StoredAuditEvent[]>;
  /**
   * A page of matching events, in bounded time: at most `scan` positions are read, and `next` is where to
   * continue; absent at the end. `until` is exclusive.
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
  /** Checks that each event follows the previous one, from position `from`, over at most `scan` positions. */
  checkTrail(options: {
    readonly from?: number;
    readonly scan: number;
    /** Event whose chain hash to return. */
    readonly linkOf?: number;
  }): Promise<TrailCheck>;
  /** Calls `listener` after each commit with events, in order. Returns a function that stops it. */
  follow(listener: (event: StoredAuditEvent) => void): () => void;
  health(): StoreHealth;
  /** Reads everything once; findings are in health(). Also runs in the background. */
  scrub(): Promise<void>;
  /** Drops audit events over age, count or size, so that the size of the store stays bounded. */
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

/** Numbers of dropped events: too old, for the size of the trail, beyond the share of their account. */
export interface DropCount {
  readonly age: number;
  readonly size: number;
  readonly share: number;
  /** Time of the newest event dropped for size or share; milliseconds since the epoch. */
  readonly newest?: number;
}
