import type { Readiness, ReportLine, ReportView } from '../api/account-views.ts';
import type { Realm } from '../config/contract.ts';
import type { Accounts } from '../host/accounts.ts';
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
   * How each of these accounts stands, in that order: for a plain login that is proven, that no rule on services or
   * sources speaks of.
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
 * MUST hold: it changes nothing, and asks NSS about a few names at a time, however many ask for a report, so that
 * logins find it free; a name service that hangs is not asked about name after name.
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
    detail: 'the name service is too slow to be asked about all of them; try again',
  };
}

async function lineOf(options: ReportingOptions, account: string): Promise<ReportLine> {
  const config = options.configuration.current();
  const nothing = { account, observed: false, factors: [] } as const;
  const found = await options.accounts.byName(account, referencedGroups(config));
  if (found.status === 'absent')
    return { ...nothing, readiness: 'gone', why: 'gone', detail: 'the name service knows it no more' };
  if (found.status === 'unavailable')
    return { ...nothing, readiness: 'unknown', why: 'accounts-unavailable', detail: found.why };
  const selected = selectRealm(config, found.account, found.groups);
  const { realm } = selected;
  const told = { ...nothing, realm: realm.name, observed: selected.kind === 'realm' && realm.observe };
  let record: AccountRecord | undefined;
  try {
    record = (await options.store.account(found.account.name)).value;
  } catch (error) {
    return { ...told, readiness: 'refused', why: codeOf(error), detail: messageOf(error) };
  }
  const lock = record?.lock ?? noLock;
  const decision = plainLogin(found, record, lock, options);
  const now = options.now();
  const { exemption } = record ?? {};
  return {
    ...told,
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
