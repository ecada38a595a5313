import type { Realm } from '../config/contract.ts';
import type { Configuration } from '../config/in-force.ts';
import { isIssued, sshKeyOf } from '../factors/kinds.ts';
import type { AccountLookup, Accounts } from '../host/contract.ts';
import { SallyportError } from '../lib/errors.ts';
import type { AccountState, LockState, LoginFacts } from '../policy/contract.ts';
import { type Decision, decide } from '../policy/decide.ts';
import { ifEnforced } from '../policy/observe-mode.ts';
import { referencedGroups, selectRealm } from '../policy/realm.ts';
import { holdsRequired, matchRequirement as matchOf } from '../policy/requirement.ts';
import type { AccountRecord } from '../store/contract.ts';

/** The status of an account: its uid and its realm, as far as NSS knows. */
export interface AccountStatus {
  /** Undefined if NSS no longer knows it. */
  readonly uid?: number;
  readonly realm?: Realm;
  /** Why the realm cannot be determined. */
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
  /** The impact of a change of factors: a sentence if it makes logins refused, now or soon, or no longer asked. */
  lossOf(account: string, before: AccountRecord, after: AccountRecord): Promise<string | undefined>;
  /**
   * Whether a change removes the last factor that the account's realm requires. Recovery keys, issued codes and grace
   * periods do not count as factors.
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
      // While NSS cannot answer, the account keeps its factors.
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
        return `${account} has only single-use codes and keys left, and is refused when they are used up: the realm "${realm}" requires another factor`;
      }
      if (now.kind === 'refused' && now.why === 'key-unavailable')
        return `${account} has only security keys left, and can log in only at the machine itself until another factor is added`;
      if (is === 'refused')
        return `${account} has no factor left that the realm "${realm}" accepts: every login that needs one is refused until one is added`;
      if (is === 'not-needed' && now.why === 'grace')
        return `${account} has no factor left, and can log in without one only until its grace period ends`;
      return is === 'not-needed' ? `${account} is no longer asked for a second factor` : undefined;
    },
  };
}

/**
 * Invariants:
 * - an account cannot remove its own last factor that its realm requires;
 * - a change with any other impact is made only after the caller has confirmed it.
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

/** How far the account's factors satisfy its realm, regardless of rules, lockouts, exemptions and observe mode. */
interface Held {
  /** The realm requires something. */
  readonly isRequired: boolean;
  /** One factor satisfies it. */
  readonly fits: boolean;
  /** One factor that does not run out satisfies it. */
  readonly lasts: boolean;
}

/** @returns undefined if its realm is not known */
function heldOf(
  found: AccountLookup,
  record: AccountRecord,
  options: AccountStatusOptions,
): Held | undefined {
  const { realm } = accountStatusOf(found, options);
  if (realm === undefined) return undefined;
  const { webauthn } = options.configuration.current();
  // An SSH key is a factor only in logins that a rule accepts it for.
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
  if (found.status === 'absent') return { problem: 'the name service no longer knows the account' };
  if (found.status === 'unavailable') return { problem: `the name service cannot answer (${found.why})` };
  const { account, groups } = found;
  const selected = selectRealm(options.configuration.current(), account, groups);
  return selected.kind === 'realm'
    ? { uid: account.uid, realm: selected.realm }
    : { uid: account.uid, problem: `the group "${selected.group}" does not resolve, so logins are refused` };
}

/** A plain login that no rule on services or sources matches, without lockouts: only the factors count. */
function decideFor(found: Found, record: AccountRecord, options: AccountStatusOptions): Decision {
  return plainLogin(found, record, { codes: 0, any: 0 }, options);
}

type Found = Extract<AccountLookup, { status: 'found' }>;

/**
 * What a login with a verified first factor is asked for, if no rule on services or sources matches, with the account's
 * own factors: as if its realm were not in observe mode, and without an exemption.
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

/** A bypass code for one login does not count as a factor of the account. */
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
  /** The caller has read the impact, and confirmed. */
  readonly isConfirmed?: boolean;
}
