import type { Config } from '../config/contract.ts';
import type { Account, AccountLookup, Accounts, Membership } from '../host/accounts.ts';
import { SallyportError, unreachable } from '../lib/errors.ts';
import type { LoginFacts } from '../policy/contract.ts';
import { factorOwnerOf, referencedGroups, selectRealm } from '../policy/realm.ts';

/** Who logs in, and whose factors, counts and locks are asked. */
export interface LoginAccounts {
  readonly target: Account;
  /** The caller of su where the realm says so; undefined: that uid is no account. */
  readonly holder: Account | undefined;
  readonly groups: ReadonlyMap<string, Membership>;
}

/**
 * Asks NSS who a login is about.
 *
 * MUST hold:
 * - a backend that cannot tell is an error, and never "no such account";
 * - the realm is the target's, whoever's factors are asked.
 *
 * @returns undefined: there is no such account
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
