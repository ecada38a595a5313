import type { AuditKind, AuditOutcome, StoredAuditEvent } from '../audit/event.ts';
import type { EventFilter } from '../audit/filter.ts';
import type { Realm } from '../config/contract.ts';
import type { OtpAlgorithm, OtpDigits, RequirableKind } from '../factors/contract.ts';
import type { FactorSummary, NewFactorJson } from '../factors/kinds.ts';
import type { Exemption } from '../policy/contract.ts';
import type { Explanation } from '../policy/explain.ts';
import type { LastLogin, StoreHealth, TrailCheck, TrailFault } from '../store/contract.ts';
import type { RotationState } from '../store/sealed/rotation.ts';
import type { VerifyResult } from '../verifier/contract.ts';
import type { ControlCode } from './error-codes.ts';

/**
 * What travels over control.sock, as JSON. Times are milliseconds since the epoch. No view holds
 * anything that helps to make a code; the ten recovery keys of EnrolView are the one exception, and
 * what moves in and out (moving-views.ts).
 */
export { auditKinds, auditOutcomes } from '../audit/event.ts';
export type { LastLogin } from '../store/contract.ts';
export type {
  AuditKind,
  AuditOutcome,
  Exemption,
  FactorSummary,
  Realm,
  StoredAuditEvent,
  StoreHealth,
  TrailCheck,
  TrailFault,
};

export interface StatusView {
  readonly version: string;
  readonly pid: number;
  /** Logins that are under way. */
  readonly logins: number;
  readonly started: number;
  readonly now: number;
  readonly config: {
    readonly file: string;
    readonly loaded: number;
    readonly realms: number;
    /** Why the current file is not active. */
    readonly problem?: string;
  };
  readonly securityKeys: {
    /** Their relying party; absent: none can be added. */
    readonly rpId?: string;
    /** Where those that are plugged in are asked: a socket, or a program. */
    readonly askedBy: string;
  };
  readonly store: StoreHealth;
  /** Realms in observe mode: they only record what they would decide. */
  readonly observing: readonly string[];
  /** Accounts with an active exemption; `complete`: all records were read since the start. */
  readonly exemptions: { readonly running: number; readonly complete: boolean };
  /** Accounts of the store that the name service does not know, or that another uid has now. */
  readonly presence: PresenceCountView;
  readonly keys?: KeysView;
  /** What an admin should see to, worst first; empty: all is well. */
  readonly warnings: readonly string[];
}

/** The master keys. No view holds more of one than its id. */
export interface KeysView {
  readonly file: string;
  /** It comes from the service manager: a change needs a restart. */
  readonly credential: boolean;
  /** When sallyportd read the file; milliseconds since the epoch. */
  readonly read?: number;
  /** What is sealed now is sealed with this one. */
  readonly current: string;
  /** The current one first; what older ones sealed can still be read. */
  readonly ids: readonly string[];
  readonly rotation: RotationState;
}

export interface ReloadView {
  readonly file: string;
  readonly realms: number;
  /** Whether the portal has read other settings than these when it started, or has not been started yet. */
  readonly portal?: boolean;
  /** What of the file is not in force. */
  readonly problem?: string;
}

export interface UserLine {
  readonly account: string;
  /** Whether the account is there; absent: that was not asked for. */
  readonly presence?: Presence;
  readonly factors: readonly {
    readonly kind: string;
    readonly enabled: boolean;
    /** After a restore: when its codes are accepted again. */
    readonly heldUntil?: number;
  }[];
  readonly lock: LockView;
  readonly lastLogin?: LastLogin;
  /** Why the record cannot be read: its account is refused. */
  readonly damaged?: string;
  /** That runs now. */
  readonly exemption?: Exemption;
}

export interface UserPage {
  readonly users: readonly UserLine[];
  /** There are more: call again with this name. */
  readonly next?: string;
}

export interface LockView {
  readonly codes: number;
  readonly any: number;
  /** Typed codes are locked since then, until a recovery key or an admin lifts it. */
  readonly codesLockedAt?: number;
  /** Everything was locked then, for as long as the realm's `lockout.duration` says. */
  readonly lockedAt?: number;
  /** Until when that holds; absent once it is over, and where the realm is not known. */
  readonly lockedUntil?: number;
}

export interface UserView {
  readonly account: string;
  /** Absent: NSS knows the account no more; only its record is left. */
  readonly uid?: number;
  readonly realm?: {
    readonly name: string;
    readonly line: number;
    readonly require: 'none' | 'any' | readonly RequirableKind[];
    /** Whether YubiKeys can be added with only a touch: there are validation servers. */
    readonly validatesYubikeys: boolean;
  };
  /** The uid that the record was made for, where the account has another one: another person. */
  readonly recordUid?: number;
  /** Why no realm can be named. */
  readonly realmProblem?: string;
  /** What a new TOTP factor has unless something else is asked for. */
  readonly defaults: {
    readonly issuer: string;
    readonly digits: OtpDigits;
    readonly period: number;
    readonly algorithm: OtpAlgorithm;
  };
  readonly factors: readonly FactorSummary[];
  /** Whether the caller may add a factor here. */
  readonly mayAdd: boolean;
  /** And without a current code of it. */
  readonly mayAddUnverified?: boolean;
  readonly lock: LockView;
  /** Running `remember`s. */
  readonly remembered: number;
  readonly graceStarted?: number;
  /** That runs now. */
  readonly exemption?: Exemption;
  readonly created?: number;
  readonly lastLogin?: LastLogin;
}

export interface ChangeView {
  readonly account: string;
  /** False: it was so already. */
  readonly changed: boolean;
  /** As it is now, or as it was before it was removed. */
  readonly factor?: FactorSummary;
  /** What the change means for the next login. */
  readonly warning?: string;
}

/** A security key that was made elsewhere is added here without a touch; with one, see CeremonyBody. */
export type EnrolBody = {
  readonly name?: string;
  readonly code?: string;
  readonly verify: boolean;
} & NewFactorJson<'code' | 'touch' | 'none'>;

/** What a security key is enrolled with, touched at the machine. */
export type CeremonyBody = { readonly name?: string } & NewFactorJson<'making' | 'touch'>;

type Adding = EnrolBody | CeremonyBody;
/** The kinds whose request has this field, for the command or dialog that fills it in. */
export type KindWith<Field extends string> = Extract<Adding, Readonly<Record<Field, unknown>>>['kind'];
/** The kinds whose request has no field of its own. */
export type KindAlone<Body extends Adding> = Body extends unknown
  ? Exclude<keyof Body, 'kind' | 'name' | 'code' | 'verify'> extends never
    ? Body['kind']
    : never
  : never;

/** Numbered, so that a client misses none. */
export type CeremonyStep = { readonly number: number } & (
  | { readonly kind: 'working' }
  /** No key is plugged in. */
  | { readonly kind: 'insert' }
  | { readonly kind: 'touch' }
  /** The key wants its PIN: send it with the next request. */
  | { readonly kind: 'pin'; readonly why: 'first' | 'wrong'; readonly retries?: number }
  | { readonly kind: 'done'; readonly added: EnrolView }
  | { readonly kind: 'failed'; readonly code: ControlCode; readonly message: string }
);

export interface CeremonyView {
  readonly id: string;
  readonly step: CeremonyStep;
}

export interface EnrolView {
  readonly account: string;
  readonly factor: FactorSummary;
  readonly recoveryKeys?: readonly string[];
  readonly replaced: readonly FactorSummary[];
  /** Why it currently does not count. */
  readonly warning?: string;
}

export interface VerifyBody {
  readonly answer: string;
  readonly previous?: string;
}
export type VerifyView = VerifyResult;

export interface ExplainQuery {
  readonly service: string;
  readonly from?: string;
  readonly tty?: string;
  /** sshd has verified this FIDO key: the line of its .pub file. */
  readonly sshKey?: string;
}

/** `decision`, `why` and `realm` are stable; `lines` are for people. */
export interface ExplainView extends Explanation {
  readonly account: string;
  readonly service: string;
}

export interface AuditQuery extends EventFilter {
  /** Milliseconds since the epoch: the first moment wanted, and the first that is too late. */
  readonly since?: number;
  readonly until?: number;
  /** The newest place wanted. */
  readonly from?: number;
  readonly limit: number;
}

export interface FollowQuery extends EventFilter {
  /** The last place already seen. */
  readonly from?: number;
}

export interface TrailQuery {
  /** Where the check goes on. */
  readonly from?: number;
  /** The account whose link is returned. */
  readonly linkOf?: number;
}

export interface AuditPage {
  /** Newest first. */
  readonly events: readonly StoredAuditEvent[];
  /** Where to go on: one page reads a bounded stretch of the trail, whatever it finds. Absent: there is no more. */
  readonly next?: number;
  /** The newest place of the trail, whatever was asked for. */
  readonly last?: number;
}

/**
 * Whether the account that a record was made for is there:
 * gone: the name service does not know it; another: its name has another uid by now; unknown: the name service
 * cannot tell, or was not asked about it in time.
 */
export type Presence = 'here' | 'gone' | 'another' | 'unknown';

/**
 * How many accounts of the store are gone, and how many names belong to another uid by now.
 * counting: so many so far; complete: all accounts were looked up, the last of them at `at`;
 * unavailable: the name service could not tell about one, so that the number is not known.
 */
export type PresenceCountView =
  | { readonly state: 'counting'; readonly gone: number; readonly another: number }
  | { readonly state: 'complete'; readonly gone: number; readonly another: number; readonly at: number }
  | { readonly state: 'unavailable' };
