import type { Config, Realm } from '../config/contract.ts';
import { type Account, domainOf, type Membership } from '../host/accounts.ts';
import { SallyportError } from '../lib/errors.ts';
import type { LoginFacts } from './contract.ts';

export type Selection =
  | {
      readonly kind: 'realm';
      readonly realm: Realm;
      /** "group staff", "uid 1000 in 1000-59999", "everybody else". */
      readonly membershipReason: string;
    }
  /** `realm` cannot be passed over: one of its groups does not resolve. */
  | { readonly kind: 'unresolved'; readonly realm: Realm; readonly group: string };

/** Every group that a realm names, each once: what NSS has to be asked for. */
export function referencedGroups(config: Config): readonly string[] {
  return [...new Set(config.realms.flatMap((realm) => realm.members?.groups ?? []))];
}

/**
 * The first realm that the account is a member of.
 *
 * MUST hold:
 * - before a realm with groups is passed over each of its groups resolves, or nothing is selected:
 *   a directory that is away must not move anybody to a laxer realm;
 * - a group that was not asked for counts as one that does not resolve;
 * - users, uids and domains decide first: they need no directory.
 */
export function selectRealm(
  config: Config,
  account: Account,
  groups: ReadonlyMap<string, Membership>,
): Selection {
  for (const realm of config.realms) {
    const membershipReason = membership(realm, account, groups);
    if (membershipReason !== undefined) return { kind: 'realm', realm, membershipReason };
    const group = realm.members?.groups.find((name) => groups.get(name) !== 'not-member');
    if (group !== undefined) return { kind: 'unresolved', realm, group };
  }
  // Such a configuration does not load; if one ever did, it would still let nobody in.
  throw new SallyportError(
    'config-bad',
    `${config.file}: no realm takes the account ${account.name}; add a last realm without members`,
  );
}

/** Why the account is a member; undefined when nothing says that it is. */
function membership(
  realm: Realm,
  account: Account,
  groups: ReadonlyMap<string, Membership>,
): string | undefined {
  const { members } = realm;
  if (members === undefined) return 'everybody else';
  if (members.users.includes(account.name)) return `user ${account.name}`;
  const range = members.uids.find(({ first, last }) => first <= account.uid && account.uid <= last);
  if (range !== undefined) return `uid ${account.uid} in ${range.first}-${range.last}`;
  const domain = domainOf(account.name);
  if (domain !== undefined && members.domains.includes(domain)) return `domain ${domain}`;
  const group = members.groups.find((name) => groups.get(name) === 'member');
  return group === undefined ? undefined : `group ${group}`;
}

/** Whose factors, counts and locks a login is about. */
export function factorOwnerOf(realm: Realm, facts: LoginFacts): 'target' | 'caller' {
  const isSu = facts.service === 'su' || facts.service === 'su-l';
  // On pam-user.sock the real uid is what the program says it is.
  return isSu && facts.rootSocket && realm.su === 'caller' ? 'caller' : 'target';
}
