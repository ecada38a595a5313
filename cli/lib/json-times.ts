import type {
  Exemption,
  FactorSummary,
  KeysView,
  LastLogin,
  LockView,
  Realm,
  StatusView,
  StoredAuditEvent,
  UserLine,
  UserView,
} from '../../daemon/api/views.ts';
import { isoUtc } from './time.ts';

/**
 * Names the fields of `--json` that are times. On control.sock times are milliseconds since the epoch; scripts read
 * ISO 8601 in UTC, in JSON as in pipes. No other field is changed.
 */
export type Times<T> = unknown extends T
  ? 'time'
  : T extends readonly (infer Each)[]
    ? Times<Each>
    : T extends number
      ? 'time'
      : T extends object
        ? { readonly [Key in keyof T]?: Times<NonNullable<T[Key]>> }
        : never;

/** Returns the value with each named time as text; lists are traversed. */
export function withTimes(value: unknown, times: unknown): unknown {
  if (Array.isArray(value)) return value.map((each) => withTimes(each, times));
  if (times === 'time') return typeof value === 'number' ? isoUtc(value) : value;
  if (typeof value !== 'object' || value === null || typeof times !== 'object' || times === null)
    return value;
  const named = new Map<string, unknown>(Object.entries(times));
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, withTimes(each, named.get(key))]),
  );
}

/** For values without times. */
export const noTimes = {};

const exemption: Times<Exemption> = { since: 'time', until: 'time' };
const lock: Times<LockView> = { codesLockedAt: 'time', lockedAt: 'time', lockedUntil: 'time' };
const lastLogin: Times<LastLogin> = { at: 'time' };

export const factorTimes: Times<FactorSummary> = {
  created: 'time',
  lastUsed: 'time',
  until: 'time',
  heldUntil: 'time',
};
export const userLineTimes: Times<UserLine> = {
  factors: { heldUntil: 'time' },
  lock,
  lastLogin,
  exemption,
};
export const userTimes: Times<UserView> = {
  factors: factorTimes,
  lock,
  lastLogin,
  exemption,
  graceStarted: 'time',
  created: 'time',
};
export const exemptionTimes = { exemption };
export const eventTimes: Times<StoredAuditEvent> = { at: 'time', until: 'time' };
export const realmTimes: Times<Realm> = { graceUntil: 'time' };
export const keysTimes: Times<KeysView> = { read: 'time' };
export const statusTimes: Times<StatusView> = {
  started: 'time',
  now: 'time',
  config: { loaded: 'time' },
  store: { since: 'time', scrub: { lastFinished: 'time' } },
  keys: keysTimes,
};
/** The result of a restore or a repair. */
export const doneTimes: Times<{ readonly done: Readonly<Record<string, unknown>> }> = {
  done: { heldUntil: 'time' },
};
