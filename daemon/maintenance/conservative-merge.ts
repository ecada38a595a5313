import type { FactorRecord } from '../factors/kinds.ts';
import type { RecoveryRecord } from '../factors/recovery.ts';
import type { ScratchRecord } from '../factors/scratch.ts';
import { furthestDrift, heldUntil } from '../factors/totp.ts';
import { unreachable } from '../lib/errors.ts';
import type { LockState } from '../policy/contract.ts';
import type { AccountRecord, YubikeyCounterRecord } from '../store/contract.ts';

/** What is known of an account beside the copy that is brought back. */
export type Other =
  /** Nothing: it could not be read, or there is no other store. */
  | { readonly kind: 'unknown' }
  /** As a store has it that is known to be the newest. */
  | { readonly kind: 'newest'; readonly record: AccountRecord }
  /** As the newest store has it, which is not the heir of the one that the backup is of: what it lacks says nothing. */
  | { readonly kind: 'beside'; readonly record: AccountRecord }
  /**
   * As a store has it of which nobody knows whether it is the newest. Marks of it may make stricter, and no more;
   * `since`: it was written after the backup was taken, so that it knows better which factors there are.
   */
  | { readonly kind: 'some'; readonly since: boolean; readonly record: AccountRecord }
  /** The newest store knows no such account: it was removed since. */
  | { readonly kind: 'removed' };

export type Note =
  /** What is spent of the set is not known: none of its keys opens anything any more. */
  | 'recovery-void'
  /** A bypass code may have been used since: another one is given where it is needed. */
  | 'bypass-void'
  /** It has an older copy of the set in the backup; the newer one stays. */
  | 'recovery-replaced'
  /** Two answers in a row, once. */
  | 'two-in-a-row'
  /** Removed, or disabled, since the backup was taken: it is back, and disabled. */
  | 'back-disabled'
  /** Added since the backup was taken: it stays. */
  | 'added-since'
  /** The record of the backup was made for another uid: that of the store stays. */
  | 'uid-newer-stays'
  /** The same, where nobody knows which is the newest: that of the backup comes back. */
  | 'uid-differs'
  /** Neither copy of the record can be read: the account is refused. */
  | 'record-lost'
  /** As root has said: the account begins anew, without a factor. */
  | 'given-up'
  /** The copy in the backup cannot be read; that of the store stays. */
  | 'record-from-store';

export interface Noted {
  readonly account: string;
  readonly note: Note;
  readonly factor?: { readonly kind: string; readonly name: string };
}

export interface Cautious {
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
 * A record of an older copy, made fit to be used again.
 *
 * MUST hold (design, rules 1 and 2):
 * - nothing that was spent before, in either copy, lets in again. What a mark does not tell is taken for spent:
 *   TOTP up to the end of the present window, recovery keys and scratch codes all of them, HOTP and local YubiKeys
 *   until two answers in a row;
 * - of marks, counts and locks the stricter stands, and what lets in without a factor of its owner's (grants, grace,
 *   invites, exemptions, bypass codes) is void. What is not named here does not come back at all;
 * - a record stays that of the uid that it was made for;
 * - no factor that was removed or disabled since comes back enabled, and none that was added since is left out:
 *   with it would go what its account is asked for.
 */
export function mergeConservatively(record: AccountRecord, other: Other, at: Now): Cautious {
  if (!isAnothers(record, other)) return merged(record, other, at);
  const isNewer =
    other.kind === 'newest' || other.kind === 'beside' || (other.kind === 'some' && other.since);
  const { account } = record;
  const made = isNewer ? merged(other.record, other, at) : merged(record, { kind: 'unknown' }, at);
  return { ...made, notes: [{ account, note: isNewer ? 'uid-newer-stays' : 'uid-differs' }, ...made.notes] };
}

/** Two people who had the same name one after the other: nothing of one goes into the record of the other. */
function isAnothers(
  { uid }: AccountRecord,
  other: Other,
): other is Other & { readonly record: AccountRecord } {
  return 'record' in other && uid !== undefined && other.record.uid !== undefined && other.record.uid !== uid;
}

function merged(record: AccountRecord, other: Other, at: Now): Cautious {
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

  const doubted = (factor: FactorRecord, same: FactorRecord | undefined): FactorRecord => {
    const strict = stricter(factor, same, other.kind === 'newest', at);
    if (isSet(strict) && strict.hashes.every((hash) => hash === null)) say('recovery-void', factor);
    if ('inDoubt' in strict && strict.inDoubt) say('two-in-a-row', factor);
    return strict;
  };
  const back = record.factors.flatMap((factor): FactorRecord[] => {
    if (factor.kind === 'bypass') {
      say('bypass-void', factor);
      return [];
    }
    const same = theirs?.factors.find((candidate) => isSame(candidate, factor));
    const newerSet = theirs?.factors.some(({ kind }) => kind === 'recovery') === true;
    if (factor.kind === 'recovery' && same === undefined && isNewest && newerSet) {
      say('recovery-replaced', factor);
      return [];
    }
    const strict = doubted(factor, same);
    const enabled = strict.enabled && (same?.enabled ?? !known);
    if (strict.enabled && !enabled) say('back-disabled', factor);
    return [{ ...strict, enabled }];
  });
  const added = (isNewest || isSince ? other.record.factors : []).flatMap((factor): FactorRecord[] => {
    if (factor.kind === 'bypass' || record.factors.some((old) => isSame(old, factor))) return [];
    return [isNewest ? factor : doubted(factor, undefined)];
  });
  for (const factor of added) say('added-since', factor);

  const held = [...back, ...added].flatMap((factor) =>
    factor.kind === 'totp' && factor.enabled ? (heldUntil(factor) ?? []) : [],
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

/** Codes that are each good once, of which nothing but what is left tells what is spent. */
type CodeSet = RecoveryRecord | ScratchRecord;

function isSet(factor: FactorRecord): factor is CodeSet {
  return factor.kind === 'recovery' || factor.kind === 'scratch';
}

/** One id stands for one factor for good; a set of codes is told by its salt too. */
function isSame(a: FactorRecord, b: FactorRecord): boolean {
  if (a.id !== b.id || a.kind !== b.kind) return false;
  return !isSet(a) || !isSet(b) || a.salt === b.salt;
}

function stricter(
  factor: FactorRecord,
  same: FactorRecord | undefined,
  newest: boolean,
  { now, skew }: Now,
): FactorRecord {
  const lastUsed = Math.max(factor.lastUsed ?? 0, same?.lastUsed ?? 0);
  const used = lastUsed === 0 ? {} : { lastUsed };
  switch (factor.kind) {
    case 'totp': {
      const drift = same?.kind === 'totp' ? same.drift : factor.drift;
      // The device may have been found to run ahead since: by a step where the newest is known, else as far as can be.
      const ahead = newest && same !== undefined ? Math.max(0, drift) + 1 : furthestDrift;
      const present = Math.floor(now / 1000 / factor.period) + ahead + skew;
      const mark = Math.max(factor.lastStep, same?.kind === 'totp' ? same.lastStep : -1);
      const { heldStep: _, ...free } = factor;
      if (present <= mark) return { ...free, ...used, drift, lastStep: mark };
      return { ...free, ...used, drift, lastStep: present, heldStep: present };
    }
    case 'hotp': {
      const counter = Math.max(factor.counter, same?.kind === 'hotp' ? same.counter : 0);
      return { ...factor, ...used, counter, inDoubt: true };
    }
    case 'yubikey': {
      const spent = union(factor.spent, same?.kind === 'yubikey' ? same.spent : []);
      // Its servers know what is spent.
      if (factor.validation === 'cloud') return { ...factor, ...used, spent };
      const press = same?.kind === 'yubikey' && same.validation === 'local' ? same.lastPress : -1;
      return { ...factor, ...used, spent, lastPress: Math.max(factor.lastPress, press), inDoubt: true };
    }
    case 'webauthn':
    case 'u2f': {
      // A challenge is of one login and in memory alone: none of before is asked again.
      const counter = Math.max(factor.counter, same?.kind === factor.kind ? same.counter : 0);
      return {
        ...factor,
        ...used,
        counter,
        spent: union(factor.spent, same?.kind === factor.kind ? same.spent : []),
      };
    }
    case 'ssh-sk':
      return { ...factor, ...used };
    case 'recovery':
    case 'scratch': {
      const hashes =
        newest && same !== undefined && isSet(same) ? left(factor, same) : factor.hashes.map(() => null);
      return { ...factor, ...used, hashes };
    }
    case 'bypass':
      // Left out before; were it not, it would be over.
      return { ...factor, ...used, until: 0 };
    default:
      return unreachable(factor);
  }
}

/** A key that was used in either copy is used. */
function left(a: CodeSet, b: CodeSet): CodeSet['hashes'] {
  return a.hashes.map((hash, index) => (hash !== null && b.hashes[index] === hash ? hash : null));
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

/** What is spent of a YubiKey in either copy. */
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
