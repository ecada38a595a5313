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

/**
 * How an account's factors match a realm's requirement; bypass codes, which are not its own factors, are separate.
 */
export type RequirementMatch =
  | { readonly kind: 'no-factor' }
  | { readonly kind: 'all-disabled' }
  | { readonly kind: 'no-accepted-factor'; readonly enabled: readonly FactorRecord[] }
  | { readonly kind: 'some-fit'; readonly fitting: readonly FactorRecord[] };

/**
 * Invariants:
 * - a disabled factor still counts as a factor of the account: disabling is no way to "no factor at all";
 * - only a set whose keys or codes are used up does not count; any other unusable factor counts as one that is not
 *   accepted;
 * - a bypass code does not count as a factor of the account: it causes no prompt, and has no effect once it expires.
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

/** Whether one of these factors satisfies the realm's requirement itself, and is not only a limited substitute. */
export function holdsRequired(fitting: readonly FactorRecord[]): boolean {
  return fitting.some((record) => !kindOf(record).traits.runsOut);
}

/** "recovery keys": the account has a set of them, all used, and no other factor; otherwise undefined. */
export function usedUpNames(factors: readonly FactorRecord[], now: number): string | undefined {
  const own = factors.filter((record) => !isIssued(record) && sshKeyOf(record) === undefined);
  if (own.length === 0 || own.some((record) => !kindOf(record).traits.runsOut || canStillBeUsed(record, now)))
    return undefined;
  const sets = Object.values(kinds).filter(({ kind }) => own.some((record) => record.kind === kind));
  return sets.flatMap(({ words }) => words.set ?? []).join(' and ');
}

/** Why an enabled factor is not accepted, as part of a sentence for administrators. */
export function mismatchReason(
  record: FactorRecord,
  realm: Pick<Realm, 'require' | 'yubikey' | 'webauthn'>,
  rpId: string | undefined,
): string {
  const name = `${record.kind} "${record.name}"`;
  const { require } = realm;
  if (!satisfiesRequirement(require, record.kind))
    return `the realm requires ${namesOf(require)}, and ${name} is not among them`;
  return `${name} ${kindOf(record).notAllowed?.(record, { ...realm, rpId }) ?? 'cannot be used'}`;
}

/** The requirement of a realm that has one. */
export function namesOf(require: Realm['require']): string {
  return typeof require === 'string' ? 'one' : require.join(' or ');
}

/** Where a security key can answer a login: plugged into this machine, or in a browser. */
export type KeyLocation = 'here' | 'browser';

/**
 * Invariants:
 * - local keys are used only for a local user, and only after the first factor: no remote party makes the key at
 *   the machine blink;
 * - elsewhere a browser answers, for a login whose first factor is verified, and with credentials that a browser
 *   can use.
 *
 * @param hasPortal a portal page exists to approve a login on
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
 * The factors that apply to a login: SSH security keys only if a rule accepts them for this login.
 *
 * Invariants:
 * - an SSH key counts only if the rule accepts it, over pam.sock, in a login of sshd's with a verified first
 *   factor, in which sshd has verified this key; anywhere else the account is treated as not having it;
 * - a disabled key counts as a factor of the account, and lets no login in.
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

/** Bypass codes that an administrator issued, and that are valid now. */
export function bypassCodes(factors: readonly FactorRecord[], now: number): readonly FactorRecord[] {
  return factors.filter((record) => isIssued(record) && record.enabled && canStillBeUsed(record, now));
}

function canStillBeUsed(record: FactorRecord, now: number): boolean {
  return kindOf(record).usable(record.enabled ? record : { ...record, enabled: true }, now);
}

export function isTypedCode(record: FactorRecord): boolean {
  return kindOf(record).traits.countsAsCode;
}
