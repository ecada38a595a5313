import type { LockView, UserLine, UserView } from '../api/views.ts';
import type { Realm } from '../config/contract.ts';
import { defaults } from '../config/defaults.ts';
import type { Configuration } from '../config/in-force.ts';
import { summaryOf } from '../factors/kinds.ts';
import type { LockState } from '../policy/contract.ts';
import { isRunning } from '../policy/grace.ts';
import { ownershipOf } from '../policy/identity.ts';
import { lockedUntil } from '../policy/lockout.ts';
import type { AccountRecord } from '../store/contract.ts';
import type { AccountStatus } from './account-status.ts';

/** A line of `user list`: only from the record, since NSS is not asked about all accounts. */
export function userLine(
  entry: {
    readonly account: string;
    readonly record?: AccountRecord;
    readonly damaged?: string;
  },
  now: number,
): UserLine {
  const { account, record, damaged } = entry;
  return {
    account,
    factors: (record?.factors ?? []).map(summaryOf).map(({ kind, enabled, heldUntil }) => ({
      kind,
      enabled,
      ...(heldUntil === undefined ? {} : { heldUntil }),
    })),
    lock: lockView(record?.lock ?? noLock),
    ...(record?.lastLogin === undefined ? {} : { lastLogin: record.lastLogin }),
    ...(damaged === undefined ? {} : { damaged }),
    ...exemptionOf(record, now),
  };
}

/** Expired exemptions, and those voided by a clock that was set back, are not shown. */
function exemptionOf(record: AccountRecord | undefined, now: number): Pick<UserView, 'exemption'> {
  const exemption = record?.exemption;
  return exemption !== undefined && isRunning(exemption, now) ? { exemption } : {};
}

export function viewUser(
  account: string,
  record: AccountRecord | undefined,
  standing: AccountStatus,
  options: { readonly configuration: Configuration; readonly now: () => number },
): Omit<UserView, 'mayAdd' | 'mayAddUnverified'> {
  const { realm, uid, problem } = standing;
  const { digits, period, algorithm } = realm?.totp ?? defaults.totp;
  const lock = lockView(record?.lock ?? noLock, realm?.lockout, options.now());
  return {
    account,
    ...(uid === undefined ? {} : { uid }),
    ...anotherUid(record, uid, options.now()),
    ...(realm === undefined ? {} : { realm: named(realm) }),
    ...(problem === undefined ? {} : { realmProblem: problem }),
    defaults: { issuer: options.configuration.current().issuer, digits, period, algorithm },
    factors: (record?.factors ?? []).map(summaryOf),
    lock,
    remembered: record?.grants.length ?? 0,
    ...(record?.graceStarted === undefined ? {} : { graceStarted: record.graceStarted }),
    ...exemptionOf(record, options.now()),
    ...(record === undefined ? {} : { created: record.created }),
    ...(record?.lastLogin === undefined ? {} : { lastLogin: record.lastLogin }),
  };
}

function anotherUid(
  record: AccountRecord | undefined,
  uid: number | undefined,
  now: number,
): Pick<UserView, 'recordUid'> {
  if (record?.uid === undefined || uid === undefined) return {};
  return ownershipOf(record, uid, now) === 'another' ? { recordUid: record.uid } : {};
}

const noLock: LockState = { codes: 0, any: 0 };

function named({ name, line, require, yubikey }: Realm): NonNullable<UserView['realm']> {
  const validatesYubikeys = yubikey.servers !== undefined && yubikey.validation !== 'local';
  return { name, line, require, validatesYubikeys };
}

/** Without a realm the duration of the lockout is unknown. */
function lockView(lock: LockState, rules?: Realm['lockout'], now = 0): LockView {
  const { codes, any, codesLockedAt, lockedAt } = lock;
  const until = rules === undefined ? undefined : lockedUntil(lock, rules, now);
  return {
    codes,
    any,
    ...(codesLockedAt === undefined ? {} : { codesLockedAt }),
    ...(lockedAt === undefined ? {} : { lockedAt }),
    ...(until === undefined ? {} : { lockedUntil: until }),
  };
}
