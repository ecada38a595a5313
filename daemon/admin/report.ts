import type { Readiness, ReportLine, ReportView } from '../api/account-views.ts';
import type { Realm } from '../config/contract.ts';
import type { Accounts } from '../host/contract.ts';
import { codeOf, messageOf } from '../lib/errors.ts';
import { createSemaphore } from '../lib/slots.ts';
import { limits } from '../limits.ts';
import type { LockState } from '../policy/contract.ts';
import type { Decision } from '../policy/decision.ts';
import { referencedGroups, selectRealm } from '../policy/realm.ts';
import { holdsRequired } from '../policy/requirement.ts';
import type { AccountRecord, Store } from '../store/contract.ts';
import { type AccountStatusOptions, plainLogin } from './account-status.ts';

export interface Reporting {
  /**
   * The status of each of these accounts, in that order: for a plain login with a verified first factor, if no rule on
   * services or sources matches.
   */
  report(accounts: readonly string[]): Promise<ReportView>;
}

export interface ReportingOptions extends AccountStatusOptions {
  readonly store: Pick<Store, 'account'>;
  readonly accounts: Accounts;
  /** Milliseconds after which no more names are looked up; by default `limits.reportWait`. */
  readonly reportWait?: number;
}

/**
 * Invariants: it changes nothing, and asks NSS about a few names at a time, however many reports run, so that NSS stays
 * free for logins; a hanging name service is not asked about further names.
 */
export function createReporting(options: ReportingOptions): Reporting {
  const semaphore = createSemaphore(limits.reportAtOnce);
  return {
    async report(accounts) {
      const began = performance.now();
      const isLate = () => performance.now() - began > (options.reportWait ?? limits.reportWait);
      const line = (account: string) =>
        semaphore(async () => (isLate() ? tooLate(account) : lineOf(options, account)));
      return { lines: await Promise.all(accounts.map(line)) };
    },
  };
}

function tooLate(account: string): ReportLine {
  return {
    account,
    observed: false,
    factors: [],
    readiness: 'unknown',
    why: 'accounts-unavailable',
    detail: 'the name service is too slow for all accounts; try again',
  };
}

async function lineOf(options: ReportingOptions, account: string): Promise<ReportLine> {
  const config = options.configuration.current();
  const nothing = { account, observed: false, factors: [] } as const;
  const found = await options.accounts.byName(account, referencedGroups(config));
  if (found.status === 'absent')
    return { ...nothing, readiness: 'gone', why: 'gone', detail: 'the name service no longer knows it' };
  if (found.status === 'unavailable')
    return { ...nothing, readiness: 'unknown', why: 'accounts-unavailable', detail: found.why };
  const selected = selectRealm(config, found.account, found.groups);
  const { realm } = selected;
  const known = { ...nothing, realm: realm.name, observed: selected.kind === 'realm' && realm.observe };
  let record: AccountRecord | undefined;
  try {
    record = (await options.store.account(found.account.name)).value;
  } catch (error) {
    return { ...known, readiness: 'refused', why: codeOf(error), detail: messageOf(error) };
  }
  const lock = record?.lock ?? noLock;
  const decision = plainLogin(found, record, lock, options);
  const now = options.now();
  const { exemption } = record ?? {};
  return {
    ...known,
    readiness: readinessOf(decision, selected.realm),
    why: decision.kind === 'ask' ? 'ask' : decision.why,
    detail: decision.detail,
    factors: (record?.factors ?? []).map(({ kind, enabled }) => ({ kind, enabled })),
    ...(exemption !== undefined && now < exemption.until ? { exemptUntil: exemption.until } : {}),
  };
}

const noLock: LockState = { codes: 0, any: 0 };

function readinessOf(decision: Decision, { require }: Realm): Readiness {
  switch (decision.kind) {
    case 'ask':
      return require === 'none' || holdsRequired(decision.factors) ? 'ready' : 'recovery-only';
    case 'accept':
      return 'ready';
    case 'enrol':
    case 'refused':
      return decision.kind;
    case 'not-needed':
      return decision.why === 'grace' ? 'grace' : 'off';
  }
}
