import type { GenericSchema } from 'valibot';
import type {
  AcceptedFormat,
  AnswerFormat,
  AnyRecord,
  FactorBase,
  FactorContext,
  FactorVerdict,
  RecoveryHash,
  SecurityKey,
} from './answer.ts';
import type { OtpFields } from './fields.ts';

export type * from './answer.ts';

/** What a realm may require. */
export const requirableKinds = ['totp', 'webauthn', 'yubikey'] as const;
export type RequirableKind = (typeof requirableKinds)[number];
/** A realm that requires this alone takes no other kind that meets something else. */
export const exclusiveRequirement = 'yubikey' satisfies RequirableKind;
/** What security keys meet. */
export const securityKeyRequirement = 'webauthn' satisfies RequirableKind;

export type OtpAlgorithm = OtpFields['algorithm'];
export type OtpDigits = OtpFields['digits'];
/** Where an OTP of a YubiKey is validated: here, or by servers that have its AES key. */
export type YubikeyValidation = 'local' | 'cloud';

/** What a realm says that a factor has to know of it. */
export interface RealmTerms {
  readonly name: string;
  readonly require: 'none' | 'any' | readonly RequirableKind[];
  readonly totp: { readonly skew: number };
  readonly yubikey: { readonly validation?: YubikeyValidation };
  readonly webauthn: { readonly models?: { readonly aaguids: readonly string[] } };
}

/** What a realm allows of a kind beyond requiring it. */
export interface AllowedTerms extends Pick<RealmTerms, 'yubikey' | 'webauthn'> {
  /** Of the configuration; undefined: there is none. */
  readonly rpId: string | undefined;
}

/** What lockout, policy and the audit trail ask of a kind. */
export interface Traits {
  /** Typed codes share `lockout.max_code_failures`; recovery keys do not. */
  readonly countsAsCode: boolean;
  /** An accepted one unlocks typed codes. */
  readonly liftsCodeLock: boolean;
  /** An administrator gave it: it is none of the account's own, and opens one login. */
  readonly isIssued: boolean;
  /** An account has one at the most: a new one takes its place. */
  readonly isSingle: boolean;
  /** It is good for a number of logins, so that an account that has nothing else will be locked out. */
  readonly runsOut: boolean;
}

/** What is listed of a factor beside its name: nothing that helps to make a code. */
export interface Details {
  /** Short facts for people: "6 digits, 30 s, SHA-1", "7 of 10 left". */
  readonly detail: string;
  /** Recovery keys or scratch codes left. */
  readonly left?: number;
  /** When a bypass code ends. Milliseconds since the epoch. */
  readonly until?: number;
  /** After a restore: when its codes are accepted again. Milliseconds since the epoch; it may be over. */
  readonly heldUntil?: number;
}

/** What is spent of a device, for all accounts that have it. */
export interface CounterValue {
  readonly lastPress: number;
  readonly spent: readonly string[];
}

/** What is known beside a copy of a record that is brought back. */
export interface Restoring<R extends AnyRecord> {
  /** The same factor in the other store; undefined: it is not there, or nothing is known. */
  readonly same: R | undefined;
  /** The other store is known to be the newest. */
  readonly isNewest: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The widest window of TOTP in the configuration, in steps. */
  readonly skew: number;
}

export type RestoreNote =
  /** What is spent of the set is not known: none of its keys opens anything any more. */
  | 'recovery-void'
  /** A bypass code may have been used since: another one is given where it is needed. */
  | 'bypass-void'
  /** Two answers in a row, once. */
  | 'two-in-a-row';

/** What factors of other systems come under. */
export interface ImportTools {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Of the configuration; undefined: there is none. */
  readonly rpId?: string;
  readonly keyedHash: RecoveryHash;
  readonly randomness: { bytes(length: number): Buffer };
}

/** A factor as it comes from another system, with what is spent of it. All of it is secret. */
export interface Importing<R extends AnyRecord, P> {
  readonly schema: GenericSchema<unknown, P>;
  /** Whether a factor of the account is this one, whatever it is called. */
  same(portable: P, kept: AnyRecord): boolean;
  /** What it is made beside, and must come with: never after it, since what was used of it since is not known. */
  comesWith?(other: { readonly kind: string }): boolean;
  /** Names of the counters that it shares; absent: none. */
  counterNames?(portable: P): readonly string[];
  /** A new record, with its marks. @throws SallyportError, which says why it cannot come */
  take(portable: P, base: FactorBase, terms: RealmTerms, tools: ImportTools): R;
  /**
   * A factor that is here already, under a higher mark.
   * @returns undefined: nothing changes
   * @throws SallyportError: it is the same secret, used otherwise
   */
  raise(portable: P, kept: AnyRecord, tools: ImportTools): R | undefined;
}

/** Counters in the store that accounts with the same device share. */
export interface SharedCounters<R extends AnyRecord> {
  names(record: R): readonly string[];
  /** The record under its counters; a text: it must not be used, and why. */
  raise(record: R, counter: (name: string) => CounterValue | undefined): R | string;
  /** A record that was imported, and what its commit writes: no counter is ever below what any account says. */
  imported(
    record: R,
    counter: (name: string) => CounterValue | undefined,
  ): { readonly record: R; readonly written: readonly (CounterValue & { readonly name: string })[] };
  /** What the commit writes that accepts the record. */
  written(record: R): readonly (CounterValue & { readonly name: string })[];
}

/** One contract for all kinds; `test/unit/factors/contract.ts` is the suite that each passes. */
export interface FactorKind<R extends AnyRecord, P = never> {
  readonly kind: R['kind'];
  /** What the store accepts, in and out: what is not named is refused. */
  readonly schema: GenericSchema<unknown, R>;
  readonly words: {
    /** What a factor is called that was given no name. */
    readonly name: string;
    /** In a prompt: "verification code". */
    readonly answer: string;
    /** All the answers of a set: "recovery keys". */
    readonly set?: string;
  };
  /** Which requirement of a realm it meets. */
  readonly meets: RequirableKind | 'each';
  readonly traits: Traits;
  /**
   * Whether it can let anybody in now: a used-up recovery set is no factor, nor is a bypass code at its end.
   * @param now milliseconds since the epoch
   */
  usable(record: R, now: number): boolean;
  /**
   * Why the realm does not allow it, though it meets what is required: the end of a sentence that begins with its
   * name. Absent, or undefined: it does.
   */
  notAllowed?(record: R, terms: AllowedTerms): string | undefined;
  answerFormats(record: R): readonly AcceptedFormat[];
  /** Of a security key. */
  credential?(record: R): SecurityKey;
  /** Of a key that sshd verifies before PAM is reached: its blob, as SSH_AUTH_INFO_0 writes it. */
  sshKey?(record: R): string;
  readonly counters?: SharedCounters<R>;
  /** Only validation servers can say whether an answer is right. */
  isValidatedByServers?(record: R): boolean;
  /** Whether two records are of one factor, whose ids are the same; absent: they are. */
  isSame?(a: R, b: R): boolean;
  /**
   * A record of an older copy: nothing that was spent in either lets in again, and what a mark does not tell is taken
   * for spent. Without a record it does not come back.
   */
  restored(record: R, restoring: Restoring<R>): { readonly record?: R; readonly note?: RestoreNote };
  /** Why a realm takes none like this, and what to do; absent, or undefined: it does. */
  notTaken?(asked: { readonly validation?: YubikeyValidation }, terms: RealmTerms): string | undefined;
  /** Absent: it comes from no other system. */
  readonly importing?: Importing<R, P>;
  /** What leaves of it; a text: nothing does, and why. */
  exported(record: R): object | string;
  /** Pure. Never throws for any answer. On acceptance `record` is what MUST be committed before SUCCESS. */
  verify(record: R, format: AnswerFormat, context: FactorContext): FactorVerdict<R>;
  /** How long an accepted answer may still be in its window, in milliseconds; absent: as long as a retry takes. */
  replayWindow?(record: R, terms: Pick<RealmTerms, 'totp'>): number;
  /** The record once a right code of another time was refused. */
  withOffset?(record: R, offset: { readonly seconds: number; readonly at: number }): R;
  /** The record without what it says of a code that is still to come: who guessed it could wait for its time. */
  withoutCodeToCome?(record: R): R;
  details(record: R): Details;
  /** What a person should hear after a login; undefined: nothing. */
  afterLogin?(record: R): string | undefined;
  /** What the event of an accepted answer says is left. */
  auditedRemaining?(record: R): number;
}
