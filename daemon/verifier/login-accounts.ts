import type { Config } from '../config/contract.ts';
import type { Account, AccountLookup, Accounts, Membership } from '../host/contract.ts';
import { SallyportError, unreachable } from '../lib/errors.ts';
import type { LoginFacts } from '../policy/contract.ts';
import { factorOwnerOf, referencedGroups, selectRealm } from '../policy/realm.ts';

/** The account that logs in, and the account whose factors, failure counts and locks apply. */
export interface LoginAccounts {
  readonly target: Account;
  /** The caller of su where the realm says so; undefined if that uid has no account. */
  readonly holder: Account | undefined;
  readonly groups: ReadonlyMap<string, Membership>;
}

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
