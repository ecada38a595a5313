import type { Config, Rule } from '../config/contract.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import type { Account, Membership } from '../host/contract.ts';
import type { AccountState, LoginFacts } from './contract.ts';

/** The basis of a decision, for `explain` and the audit. */
export interface DecisionBasis {
  readonly realm: string;
  /** Why the account is in this realm: "group staff". */
  readonly membershipReason: string;
  /** The rule that matched, whether or not it decided. */
  readonly rule?: Rule;
  /** The line of the configuration that made the decision. */
  readonly line: number;
  /** Why, in a sentence for administrators. */
  readonly detail: string;
}

export type NotNeededReason =
  /** A realm that requires nothing, and an account that has no enabled factor. */
  | 'no-factor'
  | 'all-disabled'
  /** A rule exempts the login. */
  | 'rule-skip'
  | 'remembered'
  | 'grace'
  /** An administrator has exempted the account until a date. */
  | 'exempt'
  /** The realm is in observe mode: the decision is recorded, not enforced. */
  | 'observed';

/** Stable: audit events contain them. */
export type RefusedReason =
  | 'rule-refuse'
  | 'no-factor'
  /** Only recovery keys or scratch codes, all of them used. */
  | 'used-up'
  | 'no-accepted-factor'
  | 'all-disabled'
  /** Only security keys, in a login that cannot use any: not local, and no portal to approve it on. */
  | 'key-unavailable'
  | 'locked'
  | 'codes-locked'
  | 'groups-unresolved'
  /** The grace period has ended. */
  | 'grace-expired'
  /** The clock is before the start of the grace period. */
  | 'grace-clock'
  /** su with su = "caller": the real uid has no account. */
  | 'su-caller-unknown'
  /** The record was made for another uid: treated as another person until an administrator decides. */
  | 'uid-changed';

export type Decision = NotNeeded | Accept | Ask | Enrol | Refused;

export interface NotNeeded extends DecisionBasis {
  readonly kind: 'not-needed';
  readonly why: NotNeededReason;
  /** The grace period begins with this login: this MUST be committed with it. */
  readonly startGrace?: true;
  /** why = observed: the decision that observe mode replaced. */
  readonly would?: Decision;
  /** What the user is shown: until when logins work without a factor. */
  readonly text?: string;
}

/** sshd verified a key before we were asked, and a rule accepts it as the second factor. */
export interface Accept extends DecisionBasis {
  readonly kind: 'accept';
  readonly why: 'ssh-key-accepted';
  /** As in the record: its use MUST be committed before the login is let in. */
  readonly factor: FactorRecord;
}

export interface Ask extends DecisionBasis {
  readonly kind: 'ask';
  /** All accepted factors, recovery keys included. Never empty. */
  readonly factors: readonly FactorRecord[];
  /** Typed codes among them are refused at once and not counted. */
  readonly codesLocked: boolean;
  /** A factor that is verified now leaves a grant (grants.ts, issueGrant). */
  readonly remember: boolean;
}

/** The account has no factor at all, and enrols its first one in this login. */
export interface Enrol extends DecisionBasis {
  readonly kind: 'enrol';
  readonly why: 'no-factor';
}

export interface Refused extends DecisionBasis {
  readonly kind: 'refused';
  readonly why: RefusedReason;
  /** docs/reference/protocol.md, "Return codes". */
  readonly result: 'auth-err' | 'maxtries' | 'perm-denied' | 'system-err';
  /** For the user who logs in, if the first factor is verified. */
  readonly text: string;
  /** why = locked: when the lock ends. Milliseconds since the epoch. */
  readonly until?: number;
  /** why = locked: the clock was set back to before its start, so the lock starts again from now. */
  readonly relockAt?: number;
}

/** What a refusal means outside: the PAM code, and the text for the user who logs in. */
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
    text: 'Your security key works only at the machine itself, not here. Ask your administrator for another factor.',
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
    text: 'The groups of this account cannot be looked up right now. Try again later.',
  },
  'grace-expired': {
    result: 'auth-err',
    text: 'The time for adding a second factor is over. Ask your administrator to add one.',
  },
  'grace-clock': {
    result: 'auth-err',
    text: "This machine's clock is behind your first login. Ask your administrator to correct it.",
  },
  'su-caller-unknown': {
    result: 'auth-err',
    text: 'Your own second factor is required here, and your uid belongs to no account.',
  },
  'uid-changed': {
    result: 'auth-err',
    text: 'The second factors under this name were added for another uid. Ask your administrator.',
  },
};

export interface DecisionInput {
  readonly config: Config;
  /** The target's groups, also where the caller's factors apply. */
  readonly account: Account;
  readonly groups: ReadonlyMap<string, Membership>;
  /** The uid of the factor owner; undefined if su asks for its caller's factors and the real uid has no account. */
  readonly holderUid: number | undefined;
  /** Of the factor owner. */
  readonly state: AccountState;
  readonly facts: LoginFacts;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** The parts of a decision's basis that do not depend on what decided. */
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
