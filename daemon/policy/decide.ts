import type { Realm, Rule } from '../config/contract.ts';
import { type FactorRecord, kindAtLogin, satisfiesRequirement, sshKeyOf } from '../factors/kinds.ts';
import { unreachable } from '../lib/errors.ts';
import type { AccountState, LoginFacts } from './contract.ts';
import {
  type Decision,
  type DecisionContext,
  type DecisionInput,
  date,
  notNeededDecision,
  type RefusedReason,
  refusedDecision,
} from './decision.ts';
import { activeExemption, byGrace } from './grace.ts';
import { activeGrant, mayRemember } from './grants.ts';
import { ownershipOf } from './identity.ts';
import { lockAt, lockedUntil, lockoutAt } from './lockout.ts';
import { observed, observes, remainingRealms } from './observe-mode.ts';
import { decidedByRule, factorOwnerOf, isSignIn, matchingRule, selectRealm } from './realm.ts';
import {
  bypassCodes,
  factorsFor,
  isTypedCode,
  isUsableFrom,
  matchRequirement,
  mismatchReason,
  namesOf,
  usedUpNames,
} from './requirement.ts';
import { addFirstText, maySeeSecrets } from './secrets.ts';

export type { Decision } from './decision.ts';

/**
 * Decides a login. Pure; called again whenever an answer is evaluated.
 *
 * Invariants:
 * - unknown facts (a group, a source, a session, a caller) never make the decision laxer;
 * - a clock that was set back voids what lets in (grants, grace periods, exemptions) and keeps what refuses
 *   (locks);
 * - `remember` replaces only an answer that would be asked for and could be given now;
 * - `accept` applies only to a key that sshd has verified, and that the account has, enabled;
 * - another uid under the same name is refused whatever its realm requires, "none" included: otherwise a new uid
 *   would be a way around the factors. Only `skip` comes before it, since it reads no record;
 * - on pam-user.sock no rule matches and nothing starts;
 * - a realm in observe mode allows whatever it would have decided, except in the portal.
 */
export function decide(question: DecisionInput): Decision {
  const { config, account, groups, facts } = question;
  const selected = selectRealm(config, account, groups);
  if (selected.kind === 'unresolved') {
    const { realm, group } = selected;
    const detail = `the group ${group} of this realm does not resolve, so the realm cannot be ruled out`;
    const say = { realm: realm.name, membershipReason: 'not known' };
    const decision = refusedDecision('groups-unresolved', say, realm.line, detail);
    // The account belongs to this realm or to one after it: it is allowed only if all of them are in observe mode.
    return remainingRealms(config, realm).every((one) => observes(one, facts))
      ? observed(decision)
      : decision;
  }
  const decision = decideIn(question, selected.realm, selected.membershipReason);
  return observes(selected.realm, facts) ? observed(decision) : decision;
}

function decideIn(question: DecisionInput, realm: Realm, membershipReason: string): Decision {
  const { facts, now } = question;
  const rule = matchingRule(realm, facts);
  const say: DecisionContext = { realm: realm.name, membershipReason, ...(rule !== undefined && { rule }) };
  if (rule !== undefined) {
    const byRule = decidedByRule(rule, facts, say);
    if (byRule !== undefined) return byRule;
  }
  const isPortal = isSignIn(facts.service);
  const state = ownState(question);
  if (state === undefined) {
    const detail = `the factors under this name were added for uid ${question.state.uid}, and it is uid ${question.holderUid} now: treated as another person until an administrator decides (sallyport user forget, or user move)`;
    return refusedDecision('uid-changed', say, realm.line, detail);
  }
  const exemption = activeExemption(state.exemption, facts, isPortal, now);
  if (exemption !== undefined) {
    const { until, by, reason } = exemption;
    const why = reason === undefined ? '' : `: ${reason}`;
    const detail = `an administrator (${by}) exempted the account until ${date(until)}${why}`;
    return notNeededDecision('exempt', say, realm.line, detail);
  }
  return byFactors({ ...question, state }, realm, rule, say);
}

/** @returns undefined if the state belongs to another person and is not empty */
function ownState({ state, holderUid, now }: DecisionInput): AccountState | undefined {
  const ownership = holderUid === undefined ? 'own' : ownershipOf(state, holderUid, now);
  if (ownership === 'another') return undefined;
  return ownership === 'own' ? state : { factors: [], lock: { codes: 0, any: 0 }, grants: [] };
}

/**
 * A bypass code is accepted where a factor is asked for or missing. Where no factor is asked for, it is not either:
 * a bypass code makes no login harder.
 */
function byFactors(
  question: DecisionInput,
  realm: Realm,
  rule: Rule | undefined,
  say: DecisionContext,
): Decision {
  const isKnown = factorOwnerOf(realm, question.facts) === 'target' || question.holderUid !== undefined;
  const given = isKnown ? bypassCodes(question.state.factors, question.now) : [];
  const decision = byOwnFactors(question, realm, rule, say, given);
  const isMissing = decision.kind === 'enrol' || (decision.kind === 'refused' && missing.has(decision.why));
  return given.length > 0 && isMissing ? byLock(question, realm, rule, say, given) : decision;
}

/** Refusals for lack of a factor, for which a bypass code is issued. */
const missing: ReadonlySet<RefusedReason> = new Set([
  'no-factor',
  'used-up',
  'no-accepted-factor',
  'all-disabled',
  'key-unavailable',
  'grace-expired',
  'grace-clock',
]);

/**
 * The decision by the factors of the account. @param given bypass codes, accepted beside the account's own factors
 */
function byOwnFactors(
  question: DecisionInput,
  realm: Realm,
  rule: Rule | undefined,
  say: DecisionContext,
  given: readonly FactorRecord[],
): Decision {
  const { line, require } = realm;
  const isCaller = factorOwnerOf(realm, question.facts) === 'caller';
  const who = isCaller ? 'the caller of su' : 'the account';
  const isKnown = !isCaller || question.holderUid !== undefined;
  if (!isKnown && require !== 'none') {
    const detail = 'su asks for a factor of its caller, and the real uid belongs to no account';
    return refusedDecision('su-caller-unknown', say, line, detail);
  }
  const factors = factorsFor(isKnown ? question.state.factors : [], rule, question.facts);
  const match = matchRequirement(factors, realm, question.config.webauthn?.rpId, question.now);
  switch (match.kind) {
    case 'no-factor':
      if (require === 'none')
        return notNeededDecision(
          'no-factor',
          say,
          line,
          `the realm requires nothing, and ${who} has no factor`,
        );
      if (realm.enrol === 'grace' && !isCaller) return byGrace(question, realm, say);
      if (realm.enrol === 'at-login' && !isCaller && mayEnrolIn(question.facts, realm))
        return byShowing(question, realm, say);
      return refuseWithout(factors, question, realm, say, who);
    case 'all-disabled':
      if (require === 'none')
        return notNeededDecision(
          'all-disabled',
          say,
          line,
          `the realm requires nothing, and ${who} has no enabled factor`,
        );
      return refusedDecision('all-disabled', say, line, `every factor that ${who} has is disabled`);
    case 'no-accepted-factor': {
      const { webauthn } = question.config;
      const reasons = match.enabled.map((factor) => mismatchReason(factor, realm, webauthn?.rpId)).join('; ');
      const detail = `no factor that ${who} has is accepted: ${reasons}`;
      return refusedDecision('no-accepted-factor', say, line, detail);
    }
    case 'some-fit': {
      const usable = match.fitting.filter((factor) =>
        isUsableFrom(question.facts, factor, question.config.portal !== undefined),
      );
      if (usable.length > 0) return byLock(question, realm, rule, say, [...usable, ...given]);
      const detail = `${who} has only security keys, and they cannot be used in this login`;
      return refusedDecision('key-unavailable', say, line, detail);
    }
    default:
      return unreachable(match);
  }
}

/** No factor at all, or only used-up sets: a user who had recovery keys must not read that there were none. */
function refuseWithout(
  factors: readonly FactorRecord[],
  { now }: DecisionInput,
  { line, require }: Realm,
  say: DecisionContext,
  who: string,
): Decision {
  const used = usedUpNames(factors, now);
  const required = `the realm requires ${namesOf(require)}`;
  if (used === undefined)
    return refusedDecision('no-factor', say, line, `${who} has no factor, and ${required}`);
  const detail = `all the ${used} of ${who} are used, it has no other factor, and ${required}`;
  const text = `All your ${used} are used, and you have no other second factor. Ask your administrator to add one.`;
  return { ...refusedDecision('used-up', say, line, detail), text };
}

/**
 * Only where just the owner of the password sees a new secret: in a login whose first factor is verified, that can
 * show it, in a realm that a TOTP factor satisfies. In the portal a first factor is added on its pages.
 */
function mayEnrolIn(facts: LoginFacts, { require }: Realm): boolean {
  const isShown = facts.firstFactorVerified && facts.rootSocket && facts.mode === 'prompt';
  return isShown && !isSignIn(facts.service) && satisfiesRequirement(require, kindAtLogin);
}

/** A first factor starts with a secret: it is added where that may be shown; elsewhere the login is refused. */
function byShowing(
  { config, facts, state, now }: DecisionInput,
  { line, require }: Realm,
  say: DecisionContext,
): Decision {
  if (maySeeSecrets(facts, config)) {
    const detail = 'the account has no factor, and enrols its first one in this login';
    return { kind: 'enrol', why: 'no-factor', ...say, line, detail };
  }
  const detail =
    `the account has no factor, the realm requires ${namesOf(require)}, and a new secret is not shown here: ` +
    `what ${facts.service} shows is not known to reach the person and no log (secrets_in)`;
  const used = usedUpNames(state.factors, now);
  const why = used === undefined ? 'no-factor' : 'used-up';
  return { ...refusedDecision(why, say, line, detail), text: addFirstText(config, facts.service, used) };
}

function byLock(
  question: DecisionInput,
  realm: Realm,
  rule: Rule | undefined,
  say: DecisionContext,
  fitting: readonly FactorRecord[],
): Decision {
  const { state, facts, now } = question;
  const locked = lockoutAt(state.lock, realm.lockout, now);
  if (locked === 'all') return refuseLocked(question, realm, say);
  const line = rule?.line ?? realm.line;
  const used = fitting.find((factor) => sshKeyOf(factor) !== undefined);
  if (used !== undefined) {
    const detail = `sshd has verified the security key ${used.kind} "${used.name}", and a rule accepts it`;
    return { kind: 'accept', why: 'ssh-key-accepted', factor: used, ...say, line, detail };
  }
  const codesLocked = locked === 'codes' && fitting.some(isTypedCode);
  if (codesLocked && fitting.every(isTypedCode)) {
    const detail = 'too many wrong codes: typed codes are locked until an administrator unlocks them';
    return refusedDecision('codes-locked', say, realm.line, detail);
  }
  const forMs = rule?.action.kind === 'remember' ? rule.action.forMs : undefined;
  if (forMs !== undefined) {
    const login = { realm: realm.name, target: question.account.name, facts };
    const grant = activeGrant(state.grants, login, forMs, now);
    if (grant !== undefined) {
      const until = date(grant.since + forMs);
      return notNeededDecision(
        'remembered',
        say,
        line,
        `a factor was verified from this source, and the grant lasts until ${until}`,
      );
    }
  }
  const names = fitting.map((factor) => `${factor.kind} "${factor.name}"`).join(', ');
  const but = codesLocked ? '; typed codes are locked until a recovery key is used' : '';
  return {
    kind: 'ask',
    factors: fitting,
    codesLocked,
    remember: forMs !== undefined && mayRemember(facts),
    ...say,
    line,
    detail: `any one of these is accepted: ${names}${but}`,
  };
}

function refuseLocked(question: DecisionInput, realm: Realm, say: DecisionContext): Decision {
  const { lock } = question.state;
  const until = lockedUntil(lock, realm.lockout, question.now) ?? question.now;
  const { lockedAt } = lockAt(lock, realm.lockout, question.now);
  const detail = `too many wrong answers: everything is locked until ${date(until)}`;
  return {
    ...refusedDecision('locked', say, realm.line, detail),
    until,
    ...(lockedAt !== undefined && lockedAt !== lock.lockedAt && { relockAt: lockedAt }),
  };
}
