import type { Config, Realm, Rule, Source } from '../config/contract.ts';
import type { Account, Membership } from '../host/contract.ts';
import { SallyportError, unreachable } from '../lib/errors.ts';
import { contains } from '../lib/network.ts';
import type { LoginFacts } from './contract.ts';
import { type Decision, type DecisionContext, notNeededDecision, refusedDecision } from './decision.ts';

export type Selection =
  | {
      readonly kind: 'realm';
      readonly realm: Realm;
      /** "group staff", "uid 1000 in 1000-59999", "everybody else". */
      readonly membershipReason: string;
    }
  /** `realm` cannot be ruled out: one of its groups does not resolve. */
  | { readonly kind: 'unresolved'; readonly realm: Realm; readonly group: string };

/** Every group that a realm names, each once: what NSS is asked for. */
export function referencedGroups(config: Config): readonly string[] {
  return [...new Set(config.realms.flatMap((realm) => realm.members?.groups ?? []))];
}

/**
 * The first realm that the account is a member of.
 *
 * Invariants:
 * - a realm with groups is ruled out only if each of its groups resolves; otherwise no realm is selected: an
 *   unavailable directory service must not move an account to a laxer realm;
 * - a group that was not looked up counts as unresolved;
 * - users, uids and domains decide first: they need no directory service.
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
  // Such a configuration does not load; this check still refuses if it ever does.
  throw new SallyportError(
    'config-bad',
    `${config.file}: no realm takes the account ${account.name}; add a last realm without members`,
  );
}

/** Why the account is a member; undefined if it is not known to be one. */
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

/** Whose factors, failure counts and locks apply to a login. */
export function factorOwnerOf(realm: Realm, facts: LoginFacts): 'target' | 'caller' {
  const isSu = facts.service === 'su' || facts.service === 'su-l';
  // On pam-user.sock the real uid is what the program claims.
  return isSu && facts.rootSocket && realm.su === 'caller' ? 'caller' : 'target';
}

/**
 * The rule that decides the login: the first that matches, unless the source of the login is unknown. Then every
 * rule that might match counts, and the strictest result applies.
 *
 * Invariants:
 * - `skip`, `remember` and `accept` never apply to the portal;
 * - on pam-user.sock no rule matches: a program there chooses its facts itself;
 * - an unknown source never matches a rule with `from` that lets in (`skip`, `remember`, `accept`);
 * - an unknown source never avoids a rule with `from` that refuses or asks.
 */
export function matchingRule(realm: Realm, facts: LoginFacts): Rule | undefined {
  if (!facts.rootSocket) return undefined;
  const certain = applicable(realm.rules, facts).find((rule) => sourceMatch(rule, facts) === 'yes');
  const possible = possibleRules(realm.rules, facts);
  const refusing = possible.find(({ action }) => action.kind === 'refuse');
  if (refusing !== undefined) return refusing;
  if (possible.every((rule) => isLaxerOrSame(rule.action, certain?.action))) return certain;
  // No rule means "ask", which is at least as strict as each of those that remain.
  return possible.find(({ action }) => action.kind === 'ask');
}

/** Rules before the first certain match that match if the login comes from one of the sources that they name. */
export function possibleRules(rules: readonly Rule[], facts: LoginFacts): readonly Rule[] {
  const candidates = applicable(rules, facts);
  const end = candidates.findIndex((rule) => sourceMatch(rule, facts) === 'yes');
  const before = end < 0 ? candidates : candidates.slice(0, end);
  return before.filter((rule) => sourceMatch(rule, facts) === 'unknown');
}

function applicable(rules: readonly Rule[], { service }: LoginFacts): readonly Rule[] {
  return rules.filter((rule) => takesService(rule, service) && holdsFor(rule, service));
}

/** Whether the login comes from a source that the rule names; `unknown` also if only some of it is known. */
export function sourceMatch(rule: Pick<Rule, 'from'>, facts: LoginFacts): 'yes' | 'no' | 'unknown' {
  if (rule.from === undefined) return 'yes';
  const each = rule.from.map((source) => placeMatch(source, facts));
  if (each.includes('yes')) return 'yes';
  return each.includes('unknown') ? 'unknown' : 'no';
}

/**
 * PAM_RHOST may hold a host name (sshd with UseDNS) or nothing (sudo in a session of sshd): then the address is
 * unknown. Where it holds anything, the login is not local; where it is empty, a login that is not local may be of
 * unknown source.
 */
function placeMatch(source: Source, facts: LoginFacts): 'yes' | 'no' | 'unknown' {
  if (facts.local) return source.kind === 'local' ? 'yes' : 'no';
  if (source.kind === 'local')
    return facts.rhost === undefined && facts.source === undefined ? 'unknown' : 'no';
  if (facts.source === undefined) return 'unknown';
  return contains(source, facts.source) ? 'yes' : 'no';
}

/** Whether `action` lets in every login that `other` lets in. @param other undefined: no rule, which asks */
function isLaxerOrSame(action: Rule['action'], other: Rule['action'] | undefined): boolean {
  switch (other?.kind) {
    case undefined:
    case 'ask':
      return action.kind !== 'refuse';
    case 'refuse':
      return true;
    case 'skip':
      return action.kind === 'skip';
    case 'remember':
      return action.kind === 'skip' || (action.kind === 'remember' && action.forMs >= other.forMs);
    case 'accept':
      return action.kind === 'skip' || action.kind === 'accept';
    default:
      return unreachable(other);
  }
}

/** The service name of portal sign-ins. */
export const portalService = 'sallyport-portal';

/** The service name of the command, for users who change their own factors. */
export const commandService = 'sallyport';

/** Whether the login is a sign-in to change factors. The rules for the portal apply to the command too. */
export function isSignIn(service: string): boolean {
  return service === portalService || service === commandService;
}

/** A sign-in to change factors is never exempt: such a rule is skipped there. */
function holdsFor({ action }: Rule, service: string): boolean {
  return !isSignIn(service) || action.kind === 'ask' || action.kind === 'refuse';
}

function takesService(rule: Rule, service: string): boolean {
  if (rule.services === undefined || rule.services.includes(service)) return true;
  // A rule for the portal also applies to the command, so that the same users cannot change factors there.
  return service === commandService && rule.services.includes(portalService);
}

/** Why a rule refuses, for the basis of its decision. */
function refusalBy(rule: Rule, facts: LoginFacts): string {
  return sourceMatch(rule, facts) === 'unknown'
    ? 'a rule refuses this service from some sources, and the source address of this login is not known'
    : 'a rule refuses this service from this source';
}

/** @returns undefined if the rule leaves it to the account's factors */
export function decidedByRule(rule: Rule, facts: LoginFacts, say: DecisionContext): Decision | undefined {
  const { action, line } = rule;
  switch (action.kind) {
    case 'refuse':
      return refusedDecision('rule-refuse', say, line, refusalBy(rule, facts));
    case 'skip':
      return notNeededDecision('rule-skip', say, line, 'a rule exempts this service from this source');
    case 'ask':
    case 'remember':
    case 'accept':
      return undefined;
    default:
      return unreachable(action);
  }
}

/**
 * The domain of a canonical name, in lower case: `user@corp.example` and `CORP\user`. No account name of a
 * directory holds a backslash, so the first one ends the domain even if the rest contains an @.
 */
export function domainOf(name: string): string | undefined {
  const backslash = name.indexOf('\\');
  const at = name.lastIndexOf('@');
  const [domain, user] =
    backslash >= 0
      ? [name.slice(0, backslash), name.slice(backslash + 1)]
      : [name.slice(at + 1), at < 0 ? '' : name.slice(0, at)];
  return domain === '' || user === '' ? undefined : domain.toLowerCase();
}
