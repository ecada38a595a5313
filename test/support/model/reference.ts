/**
 * A second, small reading of the rules in docs/explanation/how-decisions-are-made.md, docs/reference/factors.md and docs/design.md, written for the model
 * test and sharing no code with the product: who is let in, who is kept out, and what is used up by it.
 */

export const span = { grace: 2 * 3_600_000, remember: 15 * 60_000, lock: 3_600_000, period: 30_000 } as const;
/** Failures in a row after which typed codes, and everything, are locked. */
export const failures = { codes: 3, all: 4 } as const;
/** HOTP codes behind the expected one that are accepted as well. */
export const lookAhead = 10;

export type Service = 'sshd' | 'sudo';
/** 10.0.0.5, which rules call inside, or 192.0.2.7. */
export type Source = 'inside' | 'outside';
export type Action = 'skip' | 'ask' | 'refuse' | 'remember';

export interface Rule {
  readonly service?: Service;
  readonly from?: Source;
  readonly action: Action;
}

export interface Realm {
  readonly name: string;
  /** Absent: every account. */
  readonly users?: readonly string[];
  readonly require: 'none' | 'any' | 'totp' | 'yubikey';
  readonly enrol: 'refuse' | 'grace';
  readonly observe: boolean;
  readonly rules: readonly Rule[];
}

interface Base {
  readonly id: string;
  enabled: boolean;
  /** Its record was restored: what of it is used up, the reference does not know to the last code. */
  doubt: boolean;
  /** When it was restored. */
  restoredAt?: number;
}
export type Factor = Base &
  (
    | { readonly kind: 'totp'; readonly seed: Buffer; lastStep: number }
    | { readonly kind: 'hotp'; readonly seed: Buffer; counter: number }
    | { readonly kind: 'recovery'; keys: readonly string[]; readonly used: Set<string> }
    | { readonly kind: 'bypass'; readonly code: string; readonly since: number; readonly until: number }
  );

export interface Account {
  /** Whom the record was made for; undefined: no record. */
  uid?: number;
  factors: Factor[];
  lock: { codes: number; any: number; codesLockedAt?: number; lockedAt?: number };
  /** Since when, by realm, service and source. */
  grants: Map<string, number>;
  exemption?: { readonly since: number; readonly until: number };
  graceStarted?: number;
}

export function emptyAccount(): Account {
  return { factors: [], lock: { codes: 0, any: 0 }, grants: new Map() };
}

export interface Login {
  readonly user: string;
  readonly service: Service;
  readonly source: Source;
}

/** What a login meets before anything is answered. */
export type Expected =
  | { readonly kind: 'unknown-account' }
  /** The directory gives no answer. */
  | { readonly kind: 'error' }
  | {
      readonly kind: 'pass';
      readonly why: 'rule' | 'exempt' | 'observed' | 'nothing' | 'grace' | 'remembered';
    }
  | { readonly kind: 'refused'; readonly why: string }
  | {
      readonly kind: 'ask';
      readonly realm: Realm;
      readonly factors: readonly Factor[];
      readonly codesLocked: boolean;
      readonly remembers: boolean;
    };

export interface World {
  realms: readonly Realm[];
  /** Milliseconds since the epoch. */
  now: number;
  /** Name to uid. */
  readonly directory: Map<string, number>;
  directoryAnswers: boolean;
  readonly accounts: Map<string, Account>;
  /** Empty ones, for a new uid under a name whose record is of another uid and holds no factor. */
  readonly newcomers: Map<string, Account>;
}

export function accountOf(world: World, name: string): Account {
  const known = world.accounts.get(name);
  const uid = world.directory.get(name);
  const isEmpty = known === undefined || known.factors.length === 0;
  if (known !== undefined && (known.uid === undefined || uid === undefined || known.uid === uid || !isEmpty))
    return known;
  const map = known === undefined ? world.accounts : world.newcomers;
  const made = map.get(name) ?? emptyAccount();
  map.set(name, made);
  return made;
}

/** The record is written: it is that of the uid that the account has now. */
export function own(world: World, name: string): void {
  const account = accountOf(world, name);
  account.uid ??= world.directory.get(name) ?? 0;
  world.accounts.set(name, account);
  world.newcomers.delete(name);
}

export function realmOf(world: World, user: string): Realm {
  const realm = world.realms.find(({ users }) => users === undefined || users.includes(user));
  if (realm === undefined) throw new Error('the last realm takes every account');
  return realm;
}

export function isLeft(factor: Factor, now: number): boolean {
  if (factor.kind === 'recovery') return factor.keys.some((key) => !factor.used.has(key));
  return factor.kind !== 'bypass' || (factor.since <= now && now < factor.until);
}

export const isTyped = ({ kind }: Factor): boolean => kind !== 'recovery';

function meets({ kind }: Factor, { require }: Realm): boolean {
  if (require === 'none' || require === 'any' || kind === 'recovery' || kind === 'bypass') return true;
  return require === 'totp' && (kind === 'totp' || kind === 'hotp');
}

/** The lock as it is now: one that has run its time is over, and a clock that was set back lets it begin again. */
export function lockNow(account: Account, now: number): Account['lock'] {
  const { lockedAt, ...rest } = account.lock;
  if (lockedAt === undefined) return rest;
  if (lockedAt > now) return { ...rest, lockedAt: now };
  return now < lockedAt + span.lock ? { ...rest, lockedAt } : { ...rest, any: 0 };
}

export function expected(world: World, login: Login): Expected {
  if (!world.directoryAnswers) return { kind: 'error' };
  const uid = world.directory.get(login.user);
  if (uid === undefined) return { kind: 'unknown-account' };
  const realm = realmOf(world, login.user);
  const met = enforced(world, realm, accountOf(world, login.user), uid, login);
  return realm.observe ? { kind: 'pass', why: 'observed' } : met;
}

function enforced(world: World, realm: Realm, account: Account, uid: number, login: Login): Expected {
  const { now } = world;
  const rule = realm.rules.find(
    ({ service, from }) =>
      (service === undefined || service === login.service) && (from === undefined || from === login.source),
  );
  if (rule?.action === 'refuse') return { kind: 'refused', why: 'rule' };
  if (rule?.action === 'skip') return { kind: 'pass', why: 'rule' };
  if (account.uid !== undefined && account.uid !== uid) return { kind: 'refused', why: 'another person' };
  const { exemption } = account;
  if (exemption !== undefined && exemption.since <= now && now < exemption.until)
    return { kind: 'pass', why: 'exempt' };
  const bypass = account.factors.filter((factor) => factor.kind === 'bypass' && isLeft(factor, now));
  const own = account.factors.filter((factor) => factor.kind !== 'bypass' && isLeft(factor, now));
  const enabled = own.filter((factor) => factor.enabled);
  const fitting = enabled.filter((factor) => meets(factor, realm));
  const remembers = rule?.action === 'remember';
  if (fitting.length > 0) return asked(world, realm, account, login, [...fitting, ...bypass], remembers);
  if (enabled.length === 0 && realm.require === 'none') return { kind: 'pass', why: 'nothing' };
  if (own.length === 0 && realm.enrol === 'grace') {
    const started = account.graceStarted ?? now;
    if (started <= now && now < started + span.grace) return { kind: 'pass', why: 'grace' };
  }
  if (bypass.length > 0) return asked(world, realm, account, login, bypass, remembers);
  return { kind: 'refused', why: 'no factor' };
}

export const grantKey = ({ name }: Realm, { service, source }: Login): string =>
  `${name} ${service} ${source}`;

function asked(
  { now }: World,
  realm: Realm,
  account: Account,
  login: Login,
  factors: readonly Factor[],
  remembers: boolean,
): Expected {
  const { lockedAt, codesLockedAt } = lockNow(account, now);
  if (lockedAt !== undefined) return { kind: 'refused', why: 'locked' };
  const codesLocked = codesLockedAt !== undefined && factors.some(isTyped);
  if (codesLocked && factors.every(isTyped)) return { kind: 'refused', why: 'codes locked' };
  const since = remembers ? account.grants.get(grantKey(realm, login)) : undefined;
  if (since !== undefined && since <= now && now < since + span.remember)
    return { kind: 'pass', why: 'remembered' };
  return { kind: 'ask', realm, factors, codesLocked, remembers };
}

/** The realms as a configuration file says them. */
export function configText(realms: readonly Realm[]): string {
  return realms.map(realmText).join('\n');
}

function realmText({ name, users, require, enrol, observe, rules }: Realm): string {
  return [
    '[[realm]]',
    `name = "${name}"`,
    ...(users === undefined
      ? []
      : [`members = { users = [${users.map((each) => `"${each}"`).join(', ')}] }`]),
    `require = "${require}"`,
    `enrol = "${enrol}"`,
    ...(enrol === 'grace' ? ['grace = "2h"'] : []),
    `observe = ${observe}`,
    `lockout = { max_code_failures = ${failures.codes}, max_failures = ${failures.all}, duration = "1h" }`,
    ...rules.map(
      ({ service, from, action }) =>
        `[[realm.rule]]\n${service === undefined ? '' : `services = ["${service}"]\n`}${
          from === undefined ? '' : `from = ["${from === 'inside' ? '10.0.0.0/8' : '192.0.2.0/24'}"]\n`
        }action = ${action === 'remember' ? '{ remember = "15m" }' : `"${action}"`}`,
    ),
    '',
  ].join('\n');
}
