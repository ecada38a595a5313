import type { GenericSchema } from 'valibot';
import type { SallyportError } from '../lib/errors.ts';
import type {
  AcceptedFormat,
  AnswerFormat,
  AnyRecord,
  FactorBase,
  FactorContext,
  FactorVerdict,
  RecoveryHash,
  Registered,
  SecurityKey,
} from './answer.ts';
import type { Infer, OtpFields } from './fields.ts';

export type * from './answer.ts';

/** What a realm may require. */
export const requirableKinds = ['totp', 'webauthn', 'yubikey'] as const;
export type RequirableKind = (typeof requirableKinds)[number];
/** A realm with only this requirement accepts no other kind that satisfies another one. */
export const exclusiveRequirement = 'yubikey' satisfies RequirableKind;
/** The requirement that security keys satisfy. */
export const securityKeyRequirement = 'webauthn' satisfies RequirableKind;

export type OtpAlgorithm = OtpFields['algorithm'];
export type OtpDigits = OtpFields['digits'];
/** Where an OTP of a YubiKey is validated: on this machine, or by servers that have its AES key. */
export type YubikeyValidation = 'local' | 'cloud';

/** The settings of a realm that factors depend on. */
export interface RealmTerms {
  readonly name: string;
  readonly require: 'none' | 'any' | readonly RequirableKind[];
  readonly totp: { readonly skew: number };
  readonly yubikey: { readonly validation?: YubikeyValidation };
  readonly webauthn: { readonly models?: { readonly aaguids: readonly string[] } };
  readonly rules: readonly { readonly action: { readonly kind: string } }[];
}

/** What a realm allows of a kind beyond requiring it. */
export interface AllowedTerms extends Pick<RealmTerms, 'yubikey' | 'webauthn'> {
  /** From the configuration; undefined if it names none. */
  readonly rpId: string | undefined;
}

/** What lockout, policy and the audit trail need to know of a kind. */
export interface Traits {
  /** Typed codes share `lockout.max_code_failures`; recovery keys do not. */
  readonly countsAsCode: boolean;
  /** Accepting one unlocks typed codes. */
  readonly liftsCodeLock: boolean;
  /** An administrator issued it: it does not belong to the account, and is valid for one login. */
  readonly isIssued: boolean;
  /** An account has at most one: a new one replaces it. */
  readonly isSingle: boolean;
  /** It is valid for a limited number of logins: an account with nothing else will be locked out. */
  readonly runsOut: boolean;
}

/** What is listed of a factor beside its name: nothing that helps to make a code. */
export interface Details {
  /** Short facts for people: "6 digits, 30 s, SHA-1", "7 of 10 left". */
  readonly detail: string;
  /** Remaining recovery keys or scratch codes. */
  readonly left?: number;
  /** When a bypass code expires. Milliseconds since the epoch. */
  readonly until?: number;
  /** After a restore: when its codes are accepted again. Milliseconds since the epoch; it may be in the past. */
  readonly heldUntil?: number;
}

/** The last-used counters of a device, for all accounts that have it. */
export interface CounterValue {
  readonly lastPress: number;
  readonly spent: readonly string[];
}

/** What is known beside the copy of a record that is restored. */
export interface Restoring<R extends AnyRecord> {
  /** The same factor in the other store; undefined if it is not there, or nothing is known. */
  readonly same: R | undefined;
  /** The other store is known to be the newest. */
  readonly isNewest: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The widest window of TOTP in the configuration, in steps. */
  readonly skew: number;
}

export type RestoreNote =
  /** It is unknown which keys of the set were used: none of them is accepted any more. */
  | 'recovery-void'
  /** A bypass code may have been used since: a new one has to be issued. */
  | 'bypass-void'
  /** Two consecutive answers, once. */
  | 'two-in-a-row';

/** What a new factor is made with. */
export interface EnrolTools {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly keyedHash: RecoveryHash;
  readonly randomness: { bytes(length: number): Buffer; int(max: number): number };
  /** What was typed or touched to verify it. */
  readonly code?: Buffer;
  /** What its registration proves; absent without one. */
  readonly registered?: Registered;
}

export interface Made<R extends AnyRecord> {
  readonly record: R;
  /** In clear, shown once. */
  readonly recoveryKeys?: readonly string[];
  readonly bypassCode?: string;
}

/**
 * What verifies a new factor: a typed code; a touch of a key that is plugged in; its registration, which was
 * verified; nothing; or the administrator who issues it.
 */
export type EnrolProof = 'code' | 'touch' | 'making' | 'none' | 'issuer';

/** How a factor is added. */
export interface Enrolling<R extends AnyRecord, S extends GenericSchema, E extends EnrolProof> {
  /** Its own fields of the request: in, as JSON has them; out, with secrets as bytes. name and code are not its own. */
  readonly request: S;
  readonly proof: E;
  /**
   * The record, without its shared counters.
   * @param kept the factors that the account has already: it never holds one seed or key twice
   * @throws SallyportError, which says why it cannot be added
   */
  make(request: Infer<S>, base: FactorBase, kept: readonly AnyRecord[], tools: EnrolTools): Made<R>;
  /** Where an answer verifies it: why this one does not. */
  refusal?(record: R, verdict: FactorVerdict & { readonly outcome: 'refused' }): SallyportError;
  /** Why a factor that was just added cannot be used at present; undefined if usable. */
  unusable?(terms: RealmTerms, account: string, locked: 'none' | 'codes' | 'all'): string | undefined;
}

/** The context in which factors of other systems are imported. */
export interface ImportTools {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** From the configuration; undefined if it names none. */
  readonly rpId?: string;
  readonly keyedHash: RecoveryHash;
  readonly randomness: { bytes(length: number): Buffer };
}

/** A factor from another system, with its last-used counters. All of it is secret. */
export interface Importing<R extends AnyRecord, P> {
  readonly schema: GenericSchema<unknown, P>;
  /** Whether a factor of the account is the same one, whatever its name. */
  same(portable: P, kept: AnyRecord): boolean;
  /**
   * The secret that it belongs to, and must be imported with: never after it, since it is unknown what was used of
   * it since.
   */
  comesWith?(other: { readonly kind: string }): boolean;
  /** Names of the counters that it shares; absent if none. */
  counterNames?(portable: P): readonly string[];
  /** A new record, with its last-used counters. @throws SallyportError, which says why it cannot be imported */
  take(portable: P, base: FactorBase, terms: RealmTerms, tools: ImportTools): R;
  /**
   * An existing factor with a higher last-used counter.
   * @returns undefined if nothing changes
   * @throws SallyportError: it is the same secret with other settings
   */
  raise(portable: P, kept: AnyRecord, tools: ImportTools): R | undefined;
}

/** Counters in the store that accounts with the same device share. */
export interface SharedCounters<R extends AnyRecord> {
  names(record: R): readonly string[];
  /** The record with its shared counters applied; a string says why it must not be used. */
  raise(record: R, counter: (name: string) => CounterValue | undefined): R | string;
  /** An imported record, and what its commit writes: no counter is ever below that of any account. */
  imported(
    record: R,
    counter: (name: string) => CounterValue | undefined,
  ): { readonly record: R; readonly written: readonly (CounterValue & { readonly name: string })[] };
  /** What the commit writes that accepts the record. */
  written(record: R): readonly (CounterValue & { readonly name: string })[];
}

/** One contract for all kinds; `test/unit/factors/contract.ts` is the suite that each passes. */
export interface FactorKind<
  R extends AnyRecord,
  P = never,
  S extends GenericSchema = never,
  E extends EnrolProof = EnrolProof,
> {
  readonly kind: R['kind'];
  /** The schema of the store, in and out: unknown fields are rejected. */
  readonly schema: GenericSchema<unknown, R>;
  readonly words: {
    /** The name of a factor that was given none. */
    readonly name: string;
    /** In a prompt: "verification code". */
    readonly answer: string;
    /** The plural for a set: "recovery keys". */
    readonly set?: string;
  };
  /** The requirement of a realm that it satisfies. */
  readonly satisfies: RequirableKind | 'each';
  readonly traits: Traits;
  /**
   * Whether it can let a login in now: a used-up recovery set cannot, nor can an expired bypass code.
   * @param now milliseconds since the epoch
   */
  usable(record: R, now: number): boolean;
  /**
   * Why the realm does not allow it, though it satisfies the requirement: the end of a sentence that begins with
   * its name. Absent, or undefined, if allowed.
   */
  notAllowed?(record: R, terms: AllowedTerms): string | undefined;
  answerFormats(record: R): readonly AcceptedFormat[];
  /** Only for security keys. */
  credential?(record: R): SecurityKey;
  /** For a key that sshd verifies before PAM is reached: its blob, as SSH_AUTH_INFO_0 writes it. */
  sshKey?(record: R): string;
  readonly counters?: SharedCounters<R>;
  /** Only validation servers can verify an answer. */
  isValidatedByServers?(record: R): boolean;
  /** Whether two records with the same id are of one factor; absent if always. */
  isSame?(a: R, b: R): boolean;
  /**
   * Restores a record from an older copy: nothing that was used in either copy is accepted again, and what a
   * last-used counter does not show counts as used. Without a record the factor is not restored.
   */
  restored(record: R, restoring: Restoring<R>): { readonly record?: R; readonly note?: RestoreNote };
  /** Why a realm rejects such a factor, and what to do; absent, or undefined, if it accepts it. */
  notTaken?(asked: { readonly validation?: YubikeyValidation }, terms: RealmTerms): string | undefined;
  /** Absent: no request can add it. */
  readonly enrolling?: Enrolling<R, S, E>;
  /** Absent: it cannot be imported. */
  readonly importing?: Importing<R, P>;
  /** What is exported of it; a string says why it cannot be. */
  exported(record: R): object | string;
  /** Pure. Never throws for any answer. On acceptance `record` is what MUST be committed before SUCCESS. */
  verify(record: R, format: AnswerFormat, context: FactorContext): FactorVerdict<R>;
  /**
   * How long an accepted answer may still be within its window, in milliseconds; absent: as long as a retry takes.
   */
  replayWindow?(record: R, terms: Pick<RealmTerms, 'totp'>): number;
  /** The record after a code that is correct at another time was refused. */
  withOffset?(record: R, offset: { readonly seconds: number; readonly at: number }): R;
  /** The record without any code of the future: an attacker who guessed it could wait for its time. */
  withoutCodeToCome?(record: R): R;
  details(record: R): Details;
  /** What to show a user after a login; undefined if nothing. */
  afterLogin?(record: R): string | undefined;
  /** The remaining number that the event of an accepted answer records. */
  auditedRemaining?(record: R): number;
}
