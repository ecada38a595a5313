import type { Realm } from '../config/contract.ts';
import type { Configuration } from '../config/in-force.ts';
import { isIssued, sshKeyOf } from '../factors/kinds.ts';
import type { AccountLookup, Accounts } from '../host/accounts.ts';
import { SallyportError } from '../lib/errors.ts';
import type { AccountState, LockState, LoginFacts } from '../policy/contract.ts';
import { type Decision, decide } from '../policy/decide.ts';
import { ifEnforced } from '../policy/observe-mode.ts';
import { referencedGroups, selectRealm } from '../policy/realm.ts';
import { holdsRequired, matchRequirement as matchOf } from '../policy/requirement.ts';
import type { AccountRecord } from '../store/contract.ts';

/** Where an account stands: its uid and its realm, as far as NSS can tell. */
export interface AccountStatus {
  /** Undefined: NSS knows it no more. */
  readonly uid?: number;
  readonly realm?: Realm;
  /** Why the realm cannot be named. */
  readonly problem?: string;
}

export interface AccountStatusOptions {
  readonly accounts: Accounts;
  readonly configuration: Configuration;
  readonly now: () => number;
  readonly bootId: string;
}

export interface AccountStatuses {
  of(account: string): Promise<AccountStatus>;
  /** What a change of factors costs: a sentence when logins are refused, now or soon, or not asked, that were. */
  lossOf(account: string, before: AccountRecord, after: AccountRecord): Promise<string | undefined>;
  /**
   * Whether a change leaves an account without a factor that its realm requires, which had one. Recovery keys, codes
   * that are given, and grace take the place of none.
   */
  losesLast(account: string, before: AccountRecord, after: AccountRecord): Promise<boolean>;
}

export function createAccountStatuses(options: AccountStatusOptions): AccountStatuses {
  const lookUp = (account: string) =>
    options.accounts.byName(account, referencedGroups(options.configuration.current()));

  return {
    async of(account) {
      return accountStatusOf(await lookUp(account), options);
    },
    async losesLast(account, before, after) {
      const found = await lookUp(account);
      const [had, has] = [heldOf(found, before, options), heldOf(found, after, options)];
      // Who cannot be told about keeps what there is.
      if (had === undefined || has === undefined) return true;
      return had.isRequired && ((had.lasts && !has.lasts) || (had.fits && !has.fits));
    },
    async lossOf(account, before, after) {
      const found = await lookUp(account);
      if (found.status !== 'found') return undefined;
      const was = decideFor(found, before, options).kind;
      const now = decideFor(found, after, options);
      const is = now.kind;
      const realm = accountStatusOf(found, options).realm?.name ?? '';
      if (was === is) {
        const [had, has] = [heldOf(found, before, options), heldOf(found, after, options)];
        if (had?.isRequired !== true || !had.lasts || has?.lasts !== false || !has.fits) return undefined;
        return `${account} has nothing left but codes and keys that are each good once, and is refused when they are used up: the realm "${realm}" requires another factor`;
      }
      if (now.kind === 'refused' && now.why === 'key-unavailable')
        return `${account} has nothing left but security keys, and logs in at the machine itself alone until another factor is added`;
      if (is === 'refused')
        return `${account} has no factor left that the realm "${realm}" accepts: every login that it asks is refused until one is added`;
      if (is === 'not-needed' && now.why === 'grace')
        return `${account} has no factor left, and is let in without one only until its grace period ends`;
      return is === 'not-needed' ? `${account} is not asked for a second factor any more` : undefined;
    },
  };
}

/**
 * Invariants:
 * - by its own hand no account gets rid of the last factor that its realm requires;
 * - whatever else a change costs, it is made only by who has heard that.
 * @throws SallyportError last-factor, yes-needed
 */
export async function refuseLoss(
  accountStatuses: AccountStatuses,
  account: string,
  before: AccountRecord,
  after: AccountRecord,
  { isSelf = false, isConfirmed = false }: ChangedBy,
): Promise<void> {
  if (isSelf && (await accountStatuses.losesLast(account, before, after)))
    throw new SallyportError(
      'last-factor',
      `${account} could not log in without it, or only until its recovery keys are used up: add another factor that the realm requires first, or ask an administrator`,
    );
  const loss = isConfirmed ? undefined : await accountStatuses.lossOf(account, before, after);
  if (loss !== undefined) throw new SallyportError('yes-needed', loss);
}

/** What an account's own factors come to, whatever a rule, a lock, an exemption or observing makes of it. */
interface Held {
  /** The realm requires something. */
  readonly isRequired: boolean;
  /** One fits. */
  readonly fits: boolean;
  /** One fits that does not run out. */
  readonly lasts: boolean;
}

/** @returns undefined: its realm is not known */
function heldOf(
  found: AccountLookup,
  record: AccountRecord,
  options: AccountStatusOptions,
): Held | undefined {
  const { realm } = accountStatusOf(found, options);
  if (realm === undefined) return undefined;
  const { webauthn } = options.configuration.current();
  // A key of ssh's is one only in the logins that a rule accepts it for.
  const own = ownFactors(record).filter((factor) => sshKeyOf(factor) === undefined);
  const match = matchOf(own, realm, webauthn?.rpId, options.now());
  const fitting = match.kind === 'some-fit' ? match.fitting : [];
  return {
    isRequired: realm.require !== 'none',
    fits: fitting.length > 0,
    lasts: holdsRequired(fitting),
  };
}

function accountStatusOf(found: AccountLookup, options: AccountStatusOptions): AccountStatus {
  if (found.status === 'absent') return { problem: 'the name service does not know the account any more' };
  if (found.status === 'unavailable') return { problem: `the name service cannot tell (${found.why})` };
  const { account, groups } = found;
  const selected = selectRealm(options.configuration.current(), account, groups);
  return selected.kind === 'realm'
    ? { uid: account.uid, realm: selected.realm }
    : { uid: account.uid, problem: `the group "${selected.group}" does not resolve, so logins are refused` };
}

/** A plain login that no rule on services or sources speaks of, without locks: only the factors count. */
function decideFor(found: Found, record: AccountRecord, options: AccountStatusOptions): Decision {
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
  options: Pick<AccountStatusOptions, 'configuration' | 'now' | 'bootId'>,
): Decision {
  const facts: LoginFacts = {
    service: '',
    user: found.account.name,
    bootId: options.bootId,
    realUid: 0,
    peerUid: 0,
    firstFactorVerified: true,
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
  return factors.filter((factor) => !isIssued(factor));
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

/** Whose change of a factor it is. */
export interface ChangedBy {
  /** The account itself asks: then the last factor that its realm requires stays. */
  readonly isSelf?: boolean;
  /** Whoever asks has heard what it costs, and said yes. */
  readonly isConfirmed?: boolean;
}
