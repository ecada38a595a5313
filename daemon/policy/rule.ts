import type { Realm, Rule, Source } from '../config/contract.ts';
import { contains } from '../config/network.ts';
import type { LoginFacts } from './contract.ts';

/**
 * The first rule of the realm that matches the login.
 *
 * MUST hold:
 * - `skip`, `remember` and `accept` never apply to the portal;
 * - on pam-user.sock no rule matches: a program there says of itself what it likes;
 * - a source that is not known is in no network, and what is not known to be local is not.
 */
export function matchingRule(realm: Realm, facts: LoginFacts): Rule | undefined {
  if (!facts.rootSocket) return undefined;
  return realm.rules.find(
    (rule) => takesService(rule, facts.service) && takesSource(rule, facts) && holdsFor(rule, facts.service),
  );
}

/** The service under which the portal, and whoever changes factors without root, is judged. */
export const portalService = 'sallyport-portal';

/** Who may change factors is never let off: such a rule is passed over there. */
function holdsFor({ action }: Rule, service: string): boolean {
  return service !== portalService || action.kind === 'ask' || action.kind === 'refuse';
}

function takesService(rule: Rule, service: string): boolean {
  return rule.services === undefined || rule.services.includes(service);
}

function takesSource(rule: Rule, facts: LoginFacts): boolean {
  return rule.from === undefined || rule.from.some((source) => isFrom(source, facts));
}

function isFrom(source: Source, facts: LoginFacts): boolean {
  if (source.kind === 'local') return facts.local;
  return facts.source !== undefined && contains(source, facts.source);
}
