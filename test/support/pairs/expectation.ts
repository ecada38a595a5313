import { evaluated, stepAt, totpCode } from '../model/answers.ts';
import {
  type Account,
  type Expected,
  emptyAccount,
  expected,
  type Factor,
  type Login,
  type Realm,
  type World,
} from '../model/reference.ts';
import type { Row } from './table.ts';

/** What the reference of the model test says of a row. */
export type Ending = 'in' | 'out' | 'in after enrolment';

const login: Login = { user: 'person', service: 'sshd', source: 'outside' };
const now = 1_800_000_000_000;
const hour = 3_600_000;
const seed = Buffer.alloc(20, 1);
const right = { totp: totpCode(seed, stepAt(now)), recovery: 'aaaaa-bbbbb-ccccc-ddddd', bypass: '123456789' };

function realmOf(setting: Row['realm']): Realm {
  const realm: Realm = { name: 'all', require: 'totp', enrol: 'refuse', observe: false, rules: [] };
  switch (setting) {
    case 'requires nothing':
      return { ...realm, require: 'none' };
    case 'grace':
      return { ...realm, enrol: 'grace' };
    case 'observes':
      return { ...realm, observe: true };
    case 'skips':
      return { ...realm, rules: [{ action: 'skip' }] };
    case 'refuses':
      return { ...realm, rules: [{ action: 'refuse' }] };
    case 'requires totp':
    case 'at-login':
      return realm;
  }
}

function accountOf(state: Row['account']): Account {
  const base = { id: state, enabled: true, doubt: false };
  const totp: Factor = { ...base, kind: 'totp', seed, lastStep: -1 };
  const account: Account = { ...emptyAccount(), uid: 1 };
  switch (state) {
    case 'no factor':
      return account;
    case 'totp':
    case 'hotp':
      return { ...account, factors: [totp] };
    case 'recovery keys only':
      return {
        ...account,
        factors: [{ ...base, kind: 'recovery', keys: [right.recovery], used: new Set() }],
      };
    case 'codes locked':
      return { ...account, factors: [totp], lock: { codes: 3, any: 3, codesLockedAt: now } };
    case 'exempt':
      return { ...account, factors: [totp], exemption: { since: now - 1, until: now + hour } };
    case 'another uid':
      return { ...account, uid: 2, factors: [totp] };
    case 'disabled':
      return { ...account, factors: [{ ...totp, enabled: false }] };
    case 'bypass code':
      return {
        ...account,
        factors: [{ ...base, kind: 'bypass', code: right.bypass, since: now - 1, until: now + hour }],
      };
  }
}

/** The account after what the administrator does; what is removed is the first factor of its own. */
function afterwards(account: Account, meanwhile: Row['meanwhile']): Account {
  if (meanwhile === 'unlock') return { ...account, lock: { codes: 0, any: 0 }, grants: new Map() };
  if (meanwhile !== 'removal') return account;
  const [first] = account.factors.filter(({ kind }) => kind !== 'bypass');
  return { ...account, factors: account.factors.filter((factor) => factor !== first) };
}

function decided(realm: Realm, account: Account): Expected {
  const world: World = {
    realms: [realm],
    now,
    directory: new Map([['person', 1]]),
    directoryAnswers: true,
    accounts: new Map([['person', account]]),
    newcomers: new Map(),
  };
  return expected(world, login);
}

export interface Expectation {
  readonly ending: Ending;
  /** Whether the person is asked for a factor, or for the first one, before that. */
  readonly asks: boolean;
}

export function expectationOf(row: Row): Expectation {
  const isPortal = row.way === 'portal';
  const realm = isPortal ? atPortal(realmOf(row.realm)) : realmOf(row.realm);
  const account = isPortal ? withoutExemption(accountOf(row.account)) : accountOf(row.account);
  // The first factor comes with the answer: all is decided after what happens meanwhile.
  const isOneAnswer = row.way === 'ssh one prompt';
  const after = afterwards(account, row.meanwhile);
  const first = decided(realm, isOneAnswer ? after : account);
  if (!isOneAnswer && row.realm === 'at-login' && isMissing(account, first)) {
    if (isPortal) return { ending: 'in', asks: false };
    return { ending: 'in after enrolment', asks: true };
  }
  if (first.kind !== 'ask') return { ending: endingOf(first, row), asks: false };
  const then = decided(realm, after);
  if (then.kind !== 'ask') return { ending: endingOf(then, row), asks: true };
  const kind = then.factors[0]?.kind;
  const answer = kind === 'recovery' ? right.recovery : kind === 'bypass' ? right.bypass : right.totp;
  return { ending: evaluated(then, answer, now).kind === 'accepted' ? 'in' : 'out', asks: true };
}

function isMissing({ factors }: Account, first: Expected): boolean {
  return factors.length === 0 && first.kind === 'refused';
}

function endingOf(met: Expected, { way }: Row): Ending {
  if (met.kind !== 'pass') return 'out';
  // A login whose first factor is not verified starts no grace period.
  return way === 'ssh one prompt' && met.why === 'grace' ? 'out' : 'in';
}

/** Rules that let in, and observing, do not apply to the portal. */
function atPortal(realm: Realm): Realm {
  return { ...realm, observe: false, rules: realm.rules.filter(({ action }) => action !== 'skip') };
}

function withoutExemption({ exemption: _, ...account }: Account): Account {
  return account;
}
