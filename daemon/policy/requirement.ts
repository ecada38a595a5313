import type { Realm, Rule } from '../config/contract.ts';
import {
  credentialOf,
  type FactorRecord,
  isIssued,
  kindOf,
  kinds,
  satisfiesRequirement,
  sshKeyOf,
} from '../factors/kinds.ts';
import type { LoginFacts } from './contract.ts';

/** What an account's factors come to in a realm; bypass codes, which are none of its own, apart. */
export type RequirementMatch =
  | { readonly kind: 'no-factor' }
  | { readonly kind: 'all-disabled' }
  | { readonly kind: 'no-accepted-factor'; readonly enabled: readonly FactorRecord[] }
  | { readonly kind: 'some-fit'; readonly fitting: readonly FactorRecord[] };

/**
 * MUST hold:
 * - a disabled factor still counts as one that the account has: disabling is no way to "no factor at all";
 * - only a set whose keys or codes are used up is no factor; whatever else cannot be used is one that
 *   does not fit;
 * - a bypass code is no factor that the account has: it makes nobody asked, and stands for nothing once it ends.
 */
export function matchRequirement(
  factors: readonly FactorRecord[],
  realm: Pick<Realm, 'require' | 'yubikey' | 'webauthn'>,
  rpId: string | undefined,
  now: number,
): RequirementMatch {
  const present = factors.filter(
    (record) => !isIssued(record) && (!kindOf(record).traits.runsOut || canStillBeUsed(record, now)),
  );
  if (present.length === 0) return { kind: 'no-factor' };
  const enabled = present.filter((record) => record.enabled);
  if (enabled.length === 0) return { kind: 'all-disabled' };
  const fitting = enabled.filter(
    (record) =>
      satisfiesRequirement(realm.require, record.kind) &&
      kindOf(record).notAllowed?.(record, { ...realm, rpId }) === undefined &&
      canStillBeUsed(record, now),
  );
  return fitting.length === 0 ? { kind: 'no-accepted-factor', enabled } : { kind: 'some-fit', fitting };
}

/** Whether one of these factors is what a realm requires, and not only what stands in for it a few times. */
export function holdsRequired(fitting: readonly FactorRecord[]): boolean {
  return fitting.some((record) => !kindOf(record).traits.runsOut);
}

/** "recovery keys": the account has a set of them, all used, and nothing else; undefined: that is not so. */
export function usedUpNames(factors: readonly FactorRecord[], now: number): string | undefined {
  const own = factors.filter((record) => !isIssued(record) && sshKeyOf(record) === undefined);
  if (own.length === 0 || own.some((record) => !kindOf(record).traits.runsOut || canStillBeUsed(record, now)))
    return undefined;
  const sets = Object.values(kinds).filter(({ kind }) => own.some((record) => record.kind === kind));
  return sets.flatMap(({ words }) => words.set ?? []).join(' and ');
}

/** Why an enabled factor does not fit, in part of a sentence for admins. */
export function mismatchReason(
  record: FactorRecord,
  realm: Pick<Realm, 'require' | 'yubikey' | 'webauthn'>,
  rpId: string | undefined,
): string {
  const name = `${record.kind} "${record.name}"`;
  const { require } = realm;
  if (!satisfiesRequirement(require, record.kind))
    return `the realm requires ${namesOf(require)}, and ${name} is none`;
  return `${name} ${kindOf(record).notAllowed?.(record, { ...realm, rpId }) ?? 'cannot be used'}`;
}

/** What a realm requires, that requires something. */
export function namesOf(require: Realm['require']): string {
  return typeof require === 'string' ? 'one' : require.join(' or ');
}

/** Where a security key can answer a login: plugged into this machine, or in a browser. */
export type KeyLocation = 'here' | 'browser';

/**
 * MUST hold:
 * - keys that are plugged in blink for somebody at this machine alone, and only after the first factor: nobody far
 *   away makes the key on the desk blink;
 * - elsewhere a browser answers, for a login that is proven, and with what a browser can use.
 *
 * @param hasPortal there is a page to approve a login on
 */
export function keyLocationOf(
  facts: LoginFacts,
  record: FactorRecord,
  hasPortal: boolean,
): KeyLocation | undefined {
  const credential = credentialOf(record);
  if (credential === undefined || !facts.firstFactorVerified || !facts.rootSocket || facts.mode !== 'prompt')
    return undefined;
  if (facts.local && facts.browser === undefined) return 'here';
  return credential.inBrowser && (facts.browser === true || hasPortal) ? 'browser' : undefined;
}

export function isUsableFrom(facts: LoginFacts, record: FactorRecord, hasPortal: boolean): boolean {
  return credentialOf(record) === undefined || keyLocationOf(facts, record, hasPortal) !== undefined;
}

/**
 * The factors that a login is about: of ssh's FIDO keys only those that a rule accepts for this very login.
 *
 * MUST hold:
 * - a key counts only when the rule accepts it, over pam.sock, in a proven login of sshd's that sshd says it
 *   has verified this very key in; anywhere else it is as if the account did not have it;
 * - one that is disabled counts as one that the account has, and lets nobody in.
 */
export function factorsFor(
  factors: readonly FactorRecord[],
  rule: Rule | undefined,
  facts: LoginFacts,
): readonly FactorRecord[] {
  const isBelieved = facts.rootSocket && facts.firstFactorVerified && facts.service === 'sshd';
  const verified = rule?.action.kind === 'accept' && isBelieved ? (facts.sshKeys ?? []) : [];
  return factors.filter((record) => {
    const key = sshKeyOf(record);
    return key === undefined || verified.includes(key);
  });
}

/** Codes that an admin gave, and that are good now. */
export function bypassCodes(factors: readonly FactorRecord[], now: number): readonly FactorRecord[] {
  return factors.filter((record) => isIssued(record) && record.enabled && canStillBeUsed(record, now));
}

function canStillBeUsed(record: FactorRecord, now: number): boolean {
  return kindOf(record).usable(record.enabled ? record : { ...record, enabled: true }, now);
}

export function isTypedCode(record: FactorRecord): boolean {
  return kindOf(record).traits.countsAsCode;
}
