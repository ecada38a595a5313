import type { FactorSummary, UserLine, UserView } from '../../../daemon/api/views.ts';
import { exclusiveRequirement, type KindName, kindName, kinds } from './kinds.ts';

/** What an account's factors mean for its logins, and what it may add. */

/** Why the realm or the account forbids a new factor; undefined if permitted. */
export function whyNot(kind: KindName, user: UserView): string | undefined {
  if (user.uid === 0) return 'Only root can change the factors of root, at the machine.';
  if (user.uid === undefined) return 'The account no longer exists.';
  if (user.realm === undefined) return user.realmProblem ?? 'The realm of this account cannot be determined.';
  const { name, require } = user.realm;
  const { satisfies, adding } = kinds[kind];
  const isExclusive = Array.isArray(require) && require.length === 1 && require[0] === exclusiveRequirement;
  if (isExclusive && satisfies !== undefined && satisfies !== exclusiveRequirement)
    return `The realm "${name}" accepts only ${kindName(exclusiveRequirement)}.`;
  return adding?.unavailable?.(user.realm);
}

export type FactorState = 'enabled' | 'disabled' | 'locked';

export function stateOf(factor: FactorSummary, user: Pick<UserView, 'lock'>, now: number): FactorState {
  if (!factor.enabled) return 'disabled';
  const { lockedUntil, codesLockedAt } = user.lock;
  if (lockedUntil !== undefined && lockedUntil > now) return 'locked';
  return codesLockedAt !== undefined && kinds[factor.kind].locksWithCodes === true ? 'locked' : 'enabled';
}

export function requirementText(require: NonNullable<UserView['realm']>['require']): string {
  if (require === 'none') return 'no second factor';
  if (require === 'any') return 'a second factor of any kind';
  return require.map(kindName).join(' or ');
}

export function isSubstitute({ kind }: { readonly kind: string }): boolean {
  return Object.entries(kinds).some(([known, { isSubstitute }]) => known === kind && isSubstitute === true);
}

/** For a line of the list: an enabled factor that is no substitute. */
export const hasFactor = (user: Pick<UserLine, 'factors'>): boolean =>
  user.factors.some((factor) => factor.enabled && !isSubstitute(factor));

/** What the account lacks for its realm's requirement; undefined if nothing, or if unknown. */
export function lackText(user: Pick<UserView, 'realm' | 'factors'>, mine: boolean): string | undefined {
  const { realm } = user;
  if (realm === undefined || realm.require === 'none') return undefined;
  const { require } = realm;
  const enabled = user.factors.filter((factor) => factor.enabled && !isSubstitute(factor));
  const isMet = enabled.some(({ kind }) => {
    const { satisfies } = kinds[kind];
    return require === 'any' || (satisfies !== undefined && require.includes(satisfies));
  });
  if (isMet) return undefined;
  const what = requirementText(require);
  return mine
    ? `The realm “${realm.name}” requires ${what}, and you have none enabled. Choose Add.`
    : `The realm “${realm.name}” requires ${what}, and this account has none enabled.`;
}
