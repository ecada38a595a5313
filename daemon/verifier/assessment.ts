import type { Config, Realm } from '../config/contract.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import { isIssued } from '../factors/kinds.ts';
import type { Account, AccountLookup, Accounts, Membership } from '../host/contract.ts';
import { codeOf, SallyportError, unreachable } from '../lib/errors.ts';
import { networkKey } from '../lib/network-key.ts';
import { createSlots } from '../lib/slots.ts';
import { limits } from '../limits.ts';
import type { LoginFacts } from '../policy/contract.ts';
import { type Decision, decide } from '../policy/decide.ts';
import type { NotNeeded, Refused } from '../policy/decision.ts';
import { issueGrant } from '../policy/grants.ts';
import { factorOwnerOf, referencedGroups, selectRealm } from '../policy/realm.ts';
import { type AccountRecord, emptyRecord, type Store, type Versioned } from '../store/contract.ts';
import { recordOf } from '../store/sealed/record-owner.ts';
import type { AuditedStore } from './audited-store.ts';
import type { Clock, LoginAccounts, OpenLogin } from './contract.ts';
import { loginEvent, shown } from './events.ts';
import { limitedAccounts } from './limited-accounts.ts';
import { eventOriginOf, originOf } from './refusal-rules.ts';

/**
 * Reads the accounts of a login from NSS.
 *
 * Invariants:
 * - a backend that cannot answer is an error, and never "no such account";
 * - the realm is the target's, whether or not the factors are the caller's.
 *
 * @returns undefined if the account does not exist
 * @throws SallyportError `accounts-unavailable`
 */
export async function subjectOf(
  facts: LoginFacts,
  config: Config,
  accounts: Accounts,
): Promise<LoginAccounts | undefined> {
  const wanted = referencedGroups(config);
  const target = known(await accounts.byName(facts.user, wanted));
  if (target === undefined) return undefined;
  const selected = selectRealm(config, target.account, target.groups);
  const caller = selected.kind === 'realm' && factorOwnerOf(selected.realm, facts) === 'caller';
  const holder = caller ? known(await accounts.byUid(facts.realUid, []))?.account : target.account;
  return { target: target.account, holder, groups: target.groups };
}

/** @throws SallyportError `accounts-unavailable` */
export function known(
  lookup: AccountLookup,
): { account: Account; groups: ReadonlyMap<string, Membership> } | undefined {
  switch (lookup.status) {
    case 'found':
      return lookup;
    case 'absent':
      return undefined;
    case 'unavailable':
      throw new SallyportError(
        'accounts-unavailable',
        `the system's account database did not answer (${lookup.why}); check NSS with: getent passwd`,
      );
    default:
      return unreachable(lookup);
  }
}

/** The current records of one account, and what policy decides from them. */
export interface Assessment {
  readonly subject: LoginAccounts;
  readonly versioned: Versioned<AccountRecord>;
  readonly decision: Decision;
  readonly realm: Realm | undefined;
  readonly now: number;
}

export interface AssessorOptions {
  readonly store: Store;
  /** The active configuration; it may change between two calls. */
  readonly config: () => Config;
  readonly clock: Clock;
}

/**
 * Reads the records of a login and asks policy about them; records what is decided without an answer.
 *
 * Invariants:
 * - nothing is kept from one assessment to the next: the store is asked again each time;
 * - a decision is recorded only if the version that it was made from is still current.
 */
export class Assessor {
  readonly #o: AssessorOptions;
  readonly #auditedStore: AuditedStore;
  readonly #lookups = createSlots(limits.unverifiedLookups);

  constructor(options: AssessorOptions, auditedStore: AuditedStore) {
    this.#o = options;
    this.#auditedStore = auditedStore;
  }

  /** @returns undefined if the account does not exist */
  subjectOf({ facts, host }: Pick<OpenLogin, 'facts' | 'host'>): Promise<LoginAccounts | undefined> {
    const { accounts } = host;
    const asked = facts.firstFactorVerified
      ? accounts
      : limitedAccounts(accounts, this.#lookups, networkKey(originOf(facts)));
    return subjectOf(facts, this.#o.config(), asked);
  }

  async assess(facts: LoginFacts, subject: LoginAccounts): Promise<Assessment> {
    const config = this.#o.config();
    const now = this.#o.clock.now();
    const versioned = await this.#read(subject, facts, now);
    const decision = decide({
      config,
      account: subject.target,
      groups: subject.groups,
      holderUid: subject.holder?.uid,
      state: forTarget(versioned.value ?? emptyRecord(subject.target.name, now), subject),
      facts,
      now,
    });
    const realm = config.realms.find((candidate) => candidate.name === decision.realm);
    return { subject, versioned, decision, realm, now };
  }

  async #read(subject: LoginAccounts, facts: LoginFacts, now: number): Promise<Versioned<AccountRecord>> {
    if (subject.holder === undefined) return { value: undefined, version: 0 };
    try {
      const { value, version } = await this.#o.store.account(subject.holder.name);
      return { value: value && recordOf(value, subject.holder, now), version };
    } catch (error) {
      const said = { outcome: 'error', reason: codeOf(error), at: this.#o.clock.now() } as const;
      await this.#auditedStore.note(loginEvent(subject, facts, said), { origin: eventOriginOf(facts) });
      throw error;
    }
  }

  /** @returns false if the records have changed since the assessment */
  async settle(
    { subject, versioned, now }: Assessment,
    decision: NotNeeded | Refused,
    facts: LoginFacts,
  ): Promise<boolean> {
    const event = loginEvent(subject, facts, { ...auditFieldsOf(decision), at: now, realm: decision.realm });
    const { version } = versioned;
    const account = subject.holder?.name;
    const origin = eventOriginOf(facts);
    if (account === undefined) return this.#auditedStore.note(event, { origin });
    const record = versioned.value ?? emptyRecord(account, now, subject.holder?.uid);
    if (decision.kind === 'not-needed' && decision.startGrace === true)
      return this.#auditedStore.change({ record, version }, { ...record, graceStarted: now }, event);
    // The clock was set back: the lock starts again, and the event must show it later.
    if (decision.kind === 'refused' && decision.relockAt !== undefined) {
      const lock = { ...record.lock, lockedAt: decision.relockAt };
      return this.#auditedStore.change({ record, version }, { ...record, lock }, event);
    }
    return this.#auditedStore.note(event, { basis: { account, version }, origin });
  }
}

/** The audit fields of a decision that was made without an answer. */
function auditFieldsOf(decision: NotNeeded | Refused) {
  const { kind: outcome, why: reason } = decision;
  const { would } = decision.kind === 'not-needed' ? decision : {};
  if (would === undefined) return { outcome, reason } as const;
  return {
    outcome: 'observed',
    reason: would.kind === 'ask' ? 'ask' : would.why,
    would: would.kind,
  } as const;
}

/** Invariant: a grant for su to one target does not apply to another. */
function targetOfGrant(subject: LoginAccounts): string | undefined {
  return subject.holder?.name === subject.target.name ? undefined : subject.target.name;
}

function forTarget(record: AccountRecord, subject: LoginAccounts): AccountRecord {
  const target = targetOfGrant(subject);
  return { ...record, grants: record.grants.filter((grant) => grant.target === target) };
}

/**
 * The record with what an accepted login leaves: its time and source, and its grant. A bypass code is valid for one
 * login, so it leaves no grant. A record from before uids were kept gets its uid here, and only in a login whose
 * first factor is verified.
 */
export function withLogin(
  record: AccountRecord,
  { decision, subject, now }: Assessment,
  facts: LoginFacts,
  factor?: FactorRecord,
): AccountRecord {
  const source = facts.source ?? facts.rhost;
  const from = source === undefined ? {} : { source: shown(source) };
  const doubt = facts.firstFactorVerified ? {} : { firstFactorVerified: false as const };
  const lastLogin = { at: now, service: shown(facts.service), ...from, ...doubt };
  const remember =
    decision.kind === 'ask' && decision.remember && !(factor !== undefined && isIssued(factor));
  const grants = remember
    ? issueGrant(record.grants, { realm: decision.realm, facts, now, target: targetOfGrant(subject) })
    : record.grants;
  const holder = record.uid === undefined && facts.firstFactorVerified ? subject.holder : undefined;
  return { ...record, ...(holder && { uid: holder.uid }), lastLogin, grants };
}
