import type { AccountLookup, Accounts } from '../accounts.ts';
import type { Realm } from '../config/contract.ts';
import type { Configuration } from '../configuration.ts';
import type { AccountState, LockState, LoginFacts } from '../policy/contract.ts';
import { type Decision, decide } from '../policy/decide.ts';
import { ifEnforced } from '../policy/observing.ts';
import { selectRealm, wantedGroups } from '../policy/realm.ts';
import type { AccountRecord } from '../store/contract.ts';

/** Where an account stands: its uid and its realm, as far as NSS can tell. */
export interface Standing {
  /** Undefined: NSS knows it no more. */
  readonly uid?: number;
  readonly realm?: Realm;
  /** Why the realm cannot be named. */
  readonly problem?: string;
}

export interface StandingOptions {
  readonly accounts: Accounts;
  readonly configuration: Configuration;
  readonly now: () => number;
  readonly bootId: string;
}

export interface Standings {
  of(account: string): Promise<Standing>;
  /** What a change of factors costs: a sentence when logins are refused, or not asked, that were. */
  lossOf(account: string, before: AccountRecord, after: AccountRecord): Promise<string | undefined>;
  /** Whether a change leaves an account without a factor that its realm takes, which had one. */
  losesLast(account: string, before: AccountRecord, after: AccountRecord): Promise<boolean>;
}

export function createStanding(options: StandingOptions): Standings {
  const lookUp = (account: string) =>
    options.accounts.byName(account, wantedGroups(options.configuration.current()));

  return {
    async of(account) {
      return standingOf(await lookUp(account), options);
    },
    async losesLast(account, before, after) {
      const found = await lookUp(account);
      // Who cannot be told about keeps what there is.
      if (found.status !== 'found') return true;
      return !hasNone(decideFor(found, before, options)) && hasNone(decideFor(found, after, options));
    },
    async lossOf(account, before, after) {
      const found = await lookUp(account);
      if (found.status !== 'found') return undefined;
      const was = decideFor(found, before, options).kind;
      const now = decideFor(found, after, options);
      const is = now.kind;
      if (was === is) return undefined;
      if (now.kind === 'refused' && now.why === 'not-from-here')
        return `${account} has nothing left but security keys, and logs in at the machine itself alone until another factor is added`;
      const realm = standingOf(found, options).realm?.name ?? '';
      if (is === 'refused')
        return `${account} has no factor left that the realm "${realm}" accepts: every login that it asks is refused until one is added`;
      return is === 'not-needed' ? `${account} is not asked for a second factor any more` : undefined;
    },
  };
}

/** Grace, or a first factor at login, are for whoever never had one: no way to get rid of what is required. */
function hasNone(decision: Decision): boolean {
  if (decision.kind === 'enrol') return true;
  if (decision.kind === 'not-needed') return decision.why === 'grace';
  return decision.kind === 'refused' && ['no-factor', 'none-fits', 'all-disabled'].includes(decision.why);
}

function standingOf(found: AccountLookup, options: StandingOptions): Standing {
  if (found.status === 'absent') return { problem: 'the name service does not know the account any more' };
  if (found.status === 'unavailable') return { problem: `the name service cannot tell (${found.why})` };
  const { account, groups } = found;
  const selected = selectRealm(options.configuration.current(), account, groups);
  return selected.kind === 'realm'
    ? { uid: account.uid, realm: selected.realm }
    : { uid: account.uid, problem: `the group "${selected.group}" does not resolve, so logins are refused` };
}

/** A plain login that no rule on services or sources speaks of, without locks: only the factors count. */
function decideFor(found: Found, record: AccountRecord, options: StandingOptions): Decision {
  return plainLogin(found, record, { codes: 0, any: 0 }, options);
}

type Found = Extract<AccountLookup, { status: 'found' }>;

/**
 * What a proven login meets that no rule on services or sources speaks of, with the account's own factors: as if
 * its realm did not only observe, and nobody had let it off.
 */
export function plainLogin(
  found: Found,
  record: AccountRecord | undefined,
  lock: LockState,
  options: Pick<StandingOptions, 'configuration' | 'now' | 'bootId'>,
): Decision {
  const facts: LoginFacts = {
    service: '',
    user: found.account.name,
    bootId: options.bootId,
    realUid: 0,
    peerUid: 0,
    proven: true,
    rootSocket: true,
    local: false,
    mode: 'prompt',
  };
  const decision = decide({
    config: options.configuration.current(),
    account: found.account,
    groups: found.groups,
    holderUid: found.account.uid,
    state: { ...heldBy(record), lock, grants: [] },
    facts,
    now: options.now(),
  });
  return ifEnforced(decision);
}

/** What an admin gave for one login is nothing that an account stands on. */
function ownFactors({ factors }: AccountRecord): AccountRecord['factors'] {
  return factors.filter(({ kind }) => kind !== 'bypass');
}

function heldBy(record: AccountRecord | undefined): Omit<AccountState, 'lock' | 'grants' | 'exemption'> {
  if (record === undefined) return { factors: [] };
  const { uid, invite, graceStarted } = record;
  return {
    factors: ownFactors(record),
    ...(uid === undefined ? {} : { uid }),
    ...(invite === undefined ? {} : { invite }),
    ...(graceStarted === undefined ? {} : { graceStarted }),
  };
}
