import type { RestoreNote } from '../factors/contract.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import { isIssued, kindOf } from '../factors/kinds.ts';

import type { LockState } from '../policy/contract.ts';
import type { AccountRecord, YubikeyCounterRecord } from '../store/contract.ts';

/** What is known of an account beside the copy that is restored. */
export type Other =
  /** Nothing: it could not be read, or there is no other store. */
  | { readonly kind: 'unknown' }
  /** As a store has it that is known to be the newest. */
  | { readonly kind: 'newest'; readonly record: AccountRecord }
  /** From the newest store, which does not descend from the store of the backup: what it lacks proves nothing. */
  | { readonly kind: 'beside'; readonly record: AccountRecord }
  /**
   * From a store that may not be the newest. Its counters may only make the result stricter; `since`: it was
   * written after the backup was taken, so that its list of factors is more current.
   */
  | { readonly kind: 'some'; readonly since: boolean; readonly record: AccountRecord }
  /** The newest store has no such account: it was removed since. */
  | { readonly kind: 'removed' };

export type Note =
  | RestoreNote
  /** It has an older copy of the set in the backup; the newer one stays. */
  | 'recovery-replaced'
  /** Removed, or disabled, since the backup was taken: it is back, and disabled. */
  | 'back-disabled'
  /** Added since the backup was taken: it stays. */
  | 'added-since'
  /** The record of the backup was made for another uid: that of the store stays. */
  | 'uid-newer-stays'
  /** The same, if it is unknown which is the newest: the record of the backup is restored. */
  | 'uid-differs'
  /** Neither copy of the record can be read: the account is refused. */
  | 'record-lost'
  /** On root's request the account is reset, without a factor. */
  | 'given-up'
  /** The copy in the backup cannot be read; that of the store stays. */
  | 'record-from-store';

export interface Noted {
  readonly account: string;
  readonly note: Note;
  readonly factor?: { readonly kind: string; readonly name: string };
}

export interface Conservative {
  readonly record: AccountRecord;
  /** When codes of all its apps are accepted again; milliseconds since the epoch. */
  readonly heldUntil?: number;
  readonly notes: readonly Noted[];
}

export interface Now {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The widest window of TOTP in the configuration, in steps. */
  readonly skew: number;
}

/**
 * Makes a record of an older copy safe to use again.
 *
 * Invariants (docs/design.md, rules 1 and 2):
 * - nothing that was used before, in either copy, is accepted again. What a last-used counter does not show counts
 *   as used: TOTP up to the end of the present window, all recovery keys and scratch codes, HOTP and local YubiKeys
 *   until two consecutive answers;
 * - of counters, failure counts and locks the stricter is kept, and what lets in without the owner's factor
 *   (grants, grace period, invites, exemptions, bypass codes) is void. Fields that are not listed here are not
 *   restored;
 * - a record keeps the uid that it was made for;
 * - no factor that was removed or disabled since is restored as enabled, and none that was added since is dropped:
 *   without it the account would be asked for less.
 */
export function mergeConservatively(record: AccountRecord, other: Other, at: Now): Conservative {
  if (!isAnothers(record, other)) return merged(record, other, at);
  const isNewer =
    other.kind === 'newest' || other.kind === 'beside' || (other.kind === 'some' && other.since);
  const { account } = record;
  const made = isNewer ? merged(other.record, other, at) : merged(record, { kind: 'unknown' }, at);
  return { ...made, notes: [{ account, note: isNewer ? 'uid-newer-stays' : 'uid-differs' }, ...made.notes] };
}

/** Two people who had the same name, one after the other: nothing of one goes into the record of the other. */
function isAnothers(
  { uid }: AccountRecord,
  other: Other,
): other is Other & { readonly record: AccountRecord } {
  return 'record' in other && uid !== undefined && other.record.uid !== undefined && other.record.uid !== uid;
}

function merged(record: AccountRecord, other: Other, at: Now): Conservative {
  const { account } = record;
  const notes: Noted[] = [];
  const say = (note: Note, factor?: FactorRecord): void => {
    const named = factor === undefined ? {} : { factor: { kind: factor.kind, name: factor.name } };
    notes.push({ account, note, ...named });
  };
  const theirs = 'record' in other ? other.record : undefined;
  const isNewest = other.kind === 'newest' || other.kind === 'beside';
  const isSince = other.kind === 'some' && other.since;
  const known = other.kind === 'newest' || other.kind === 'removed' || isSince;

  const doubted = (factor: FactorRecord, same: FactorRecord | undefined): FactorRecord[] => {
    const { record: strict, note } = restored(factor, same, other.kind === 'newest', at);
    if (note !== undefined) say(note, factor);
    return strict === undefined ? [] : [strict];
  };
  const back = record.factors.flatMap((factor): FactorRecord[] => {
    const same = theirs?.factors.find((candidate) => isSame(candidate, factor));
    const { isSingle } = kindOf(factor).traits;
    const hasNewer = isNewest && theirs?.factors.some(({ kind }) => kind === factor.kind) === true;
    if (isSingle && !isIssued(factor) && same === undefined && hasNewer) {
      say('recovery-replaced', factor);
      return [];
    }
    return doubted(factor, same).map((strict) => {
      const enabled = strict.enabled && (same?.enabled ?? !known);
      if (strict.enabled && !enabled) say('back-disabled', factor);
      return { ...strict, enabled };
    });
  });
  const added = (isNewest || isSince ? other.record.factors : []).flatMap((factor): FactorRecord[] => {
    if (isIssued(factor) || record.factors.some((old) => isSame(old, factor))) return [];
    return isNewest ? [factor] : doubted(factor, undefined);
  });
  for (const factor of added) say('added-since', factor);

  const held = [...back, ...added].flatMap((factor) =>
    factor.enabled ? (kindOf(factor).details(factor).heldUntil ?? []) : [],
  );
  const lastLogin = later(record.lastLogin, theirs?.lastLogin);
  const uid = theirs?.uid ?? record.uid;
  const hadGrace = record.graceStarted !== undefined || theirs?.graceStarted !== undefined;
  return {
    notes,
    ...(held.length === 0 ? {} : { heldUntil: Math.max(...held) }),
    record: {
      account,
      ...(uid === undefined ? {} : { uid }),
      created: Math.min(record.created, theirs?.created ?? record.created),
      factors: [...back, ...added],
      lock: strictest(record.lock, theirs?.lock),
      grants: [],
      ...(lastLogin === undefined ? {} : { lastLogin }),
      // Begun in 1970: it is over, whatever the realm says.
      ...(hadGrace ? { graceStarted: 0 } : {}),
    },
  };
}

/** One id names one factor forever; a set of codes is also identified by its salt. */
function isSame(a: FactorRecord, b: FactorRecord): boolean {
  if (a.id !== b.id || a.kind !== b.kind) return false;
  return kindOf(a).isSame?.(a, b) ?? true;
}

function restored(
  factor: FactorRecord,
  same: FactorRecord | undefined,
  isNewest: boolean,
  at: Now,
): { readonly record?: FactorRecord; readonly note?: RestoreNote } {
  const lastUsed = Math.max(factor.lastUsed ?? 0, same?.lastUsed ?? 0);
  const record = lastUsed === 0 ? factor : { ...factor, lastUsed };
  return kindOf(factor).restored(record, { ...at, same, isNewest });
}

function union(a: readonly string[], b: readonly string[]): readonly string[] {
  return [...new Set([...b, ...a])];
}

function strictest(a: LockState, b: LockState = { codes: 0, any: 0 }): LockState {
  const codesLockedAt = latest(a.codesLockedAt, b.codesLockedAt);
  const lockedAt = latest(a.lockedAt, b.lockedAt);
  return {
    codes: Math.max(a.codes, b.codes),
    any: Math.max(a.any, b.any),
    ...(codesLockedAt === undefined ? {} : { codesLockedAt }),
    ...(lockedAt === undefined ? {} : { lockedAt }),
  };
}

function latest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || (b !== undefined && b > a) ? b : a;
}

function later<T extends { readonly at: number }>(a: T | undefined, b: T | undefined): T | undefined {
  return a === undefined || (b !== undefined && b.at > a.at) ? b : a;
}

/** The last-used counters of a YubiKey in either copy. */
export function mergeYubikeyCounter(
  token: YubikeyCounterRecord,
  other: YubikeyCounterRecord | undefined,
): YubikeyCounterRecord {
  if (other === undefined) return token;
  return {
    token: token.token,
    lastPress: Math.max(token.lastPress, other.lastPress),
    spent: union(token.spent, other.spent),
  };
}
