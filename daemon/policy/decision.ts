import type { Config, Rule } from '../config/contract.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import type { Account, Membership } from '../host/accounts.ts';
import type { AccountState, LoginFacts } from './contract.ts';

/** What every decision says of itself, for `explain` and the audit. */
export interface DecisionBasis {
  readonly realm: string;
  /** Why the account is in this realm: "group staff". */
  readonly membershipReason: string;
  /** The rule that matched, whether or not it decided. */
  readonly rule?: Rule;
  /** The line of the configuration that made the decision. */
  readonly line: number;
  /** Why, in a sentence for admins. */
  readonly detail: string;
}

export type NotNeededReason =
  /** A realm that requires nothing, and an account that has nothing enabled. */
  | 'no-factor'
  | 'all-disabled'
  /** A rule lets the login off. */
  | 'rule-skip'
  | 'remembered'
  | 'grace'
  /** An admin lets the account off until a date. */
  | 'exempt'
  /** The realm asks nobody, and writes down what it would have decided. */
  | 'observed';

/** Stable; they stand in audit events. */
export type RefusedReason =
  | 'rule-refuse'
  | 'no-factor'
  /** Nothing but recovery keys or scratch codes, of which none is left. */
  | 'used-up'
  | 'no-accepted-factor'
  | 'all-disabled'
  /** Security keys alone, in a login that can ask none: not at the machine, and no portal to approve it on. */
  | 'key-unavailable'
  | 'locked'
  | 'codes-locked'
  | 'groups-unresolved'
  /** The grace period has ended. */
  | 'grace-expired'
  /** The clock stands before its start. */
  | 'grace-clock'
  /** su with su = "caller": the real uid is no account. */
  | 'su-caller-unknown'
  /** The record was made for another uid: another person, until an administrator decides. */
  | 'uid-changed';

export type Decision = NotNeeded | Accept | Ask | Enrol | Refused;

export interface NotNeeded extends DecisionBasis {
  readonly kind: 'not-needed';
  readonly why: NotNeededReason;
  /** The grace period begins with this login: MUST be committed with it. */
  readonly startGrace?: true;
  /** why = observed: the decision in the place of which this one stands. */
  readonly would?: Decision;
  /** What a person should hear: until when it goes on like this. */
  readonly text?: string;
}

/** A factor was verified before we were asked, and a rule lets it be the second one. */
export interface Accept extends DecisionBasis {
  readonly kind: 'accept';
  readonly why: 'ssh-key-accepted';
  /** As it stands in the record: that it was used MUST be committed before anybody is let in. */
  readonly factor: FactorRecord;
}

export interface Ask extends DecisionBasis {
  readonly kind: 'ask';
  /** All that will do here, recovery keys included. Never empty. */
  readonly factors: readonly FactorRecord[];
  /** Typed codes among them are refused at once and count nowhere. */
  readonly codesLocked: boolean;
  /** A factor verified now is remembered (grants.ts, giveGrant). */
  readonly remember: boolean;
}

/** The account has no factor at all, and its first one is added in this very login. */
export interface Enrol extends DecisionBasis {
  readonly kind: 'enrol';
  readonly why: 'no-factor';
}

export interface Refused extends DecisionBasis {
  readonly kind: 'refused';
  readonly why: RefusedReason;
  /** docs/reference/protocol.md, "Return codes". */
  readonly result: 'auth-err' | 'maxtries' | 'perm-denied' | 'system-err';
  /** For the person who logs in, where the first factor is proven. */
  readonly text: string;
  /** why = locked: when it opens again. Milliseconds since the epoch. */
  readonly until?: number;
  /** why = locked: the clock was set back before its start, so it begins anew from now at the latest. */
  readonly relockAt?: number;
}

/** What a refusal means outside: the PAM code, and the words for the person who logs in. */
export const refusals: Readonly<Record<RefusedReason, Pick<Refused, 'result' | 'text'>>> = {
  'rule-refuse': { result: 'perm-denied', text: 'Logging in this way is not allowed here.' },
  'no-factor': {
    result: 'auth-err',
    text: 'A second factor is required here and you have none. Ask your administrator to add one.',
  },
  'used-up': {
    result: 'auth-err',
    text: 'All your recovery keys are used. Ask your administrator to add a second factor.',
  },
  'no-accepted-factor': {
    result: 'auth-err',
    text: 'None of your second factors is accepted here. Ask your administrator to add one that is.',
  },
  'all-disabled': {
    result: 'auth-err',
    text: 'All your second factors are disabled. Ask your administrator to enable one.',
  },
  'key-unavailable': {
    result: 'auth-err',
    text: 'Your security key cannot be asked here, but at the machine itself. Ask your administrator for another factor.',
  },
  locked: {
    result: 'maxtries',
    text: 'Too many wrong answers: the second factor is locked for a while. Ask your administrator to unlock.',
  },
  'codes-locked': {
    result: 'maxtries',
    text: 'Too many wrong codes: codes are locked. Ask your administrator to unlock.',
  },
  'groups-unresolved': {
    result: 'system-err',
    text: 'The groups of this account cannot be looked up just now. Try again later.',
  },
  'grace-expired': {
    result: 'auth-err',
    text: 'The time for adding a second factor is over. Ask your administrator to add one.',
  },
  'grace-clock': {
    result: 'auth-err',
    text: 'The clock of this machine stands before your first login. Ask your administrator to set it right.',
  },
  'su-caller-unknown': {
    result: 'auth-err',
    text: 'A second factor of your own is required here, and your uid belongs to no account.',
  },
  'uid-changed': {
    result: 'auth-err',
    text: 'The second factors under this name were added for another uid. Ask your administrator.',
  },
};

export interface DecisionInput {
  readonly config: Config;
  /** The target's, whoever's factors are asked. */
  readonly account: Account;
  readonly groups: ReadonlyMap<string, Membership>;
  /** Of the account whose factors are asked; undefined: those of su's caller, and the real uid is no account. */
  readonly holderUid: number | undefined;
  /** Of whoever's factors are asked. */
  readonly state: AccountState;
  readonly facts: LoginFacts;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What a decision says of itself, but for what made it. */
export type DecisionContext = Omit<DecisionBasis, 'line' | 'detail'>;

export function notNeededDecision(
  why: NotNeeded['why'],
  say: DecisionContext,
  line: number,
  detail: string,
): NotNeeded {
  return { kind: 'not-needed', why, ...say, line, detail };
}

export function refusedDecision(
  why: RefusedReason,
  say: DecisionContext,
  line: number,
  detail: string,
): Refused {
  return { kind: 'refused', why, ...refusals[why], ...say, line, detail };
}

/** To the minute, in UTC. */
export function date(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
