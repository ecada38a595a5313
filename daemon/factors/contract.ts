import type { GenericSchema } from 'valibot';
import type { OtpFields } from './fields.ts';

/** What a realm may require. */
export const requirableKinds = ['totp', 'webauthn', 'yubikey'] as const;
export type RequirableKind = (typeof requirableKinds)[number];
/** What security keys meet. */
export const securityKeyRequirement = 'webauthn' satisfies RequirableKind;

/** What every record has beside its kind. */
export interface FactorBase {
  readonly id: string;
  readonly name: string;
  readonly created: number;
  readonly lastUsed?: number;
  readonly enabled: boolean;
}

/** A record of any kind, as a factor sees those beside its own. */
export interface AnyRecord extends FactorBase {
  /** The name in the table of kinds. */
  readonly kind: string;
}

export type OtpAlgorithm = OtpFields['algorithm'];
export type OtpDigits = OtpFields['digits'];
/** Where an OTP of a YubiKey is validated: here, or by servers that have its AES key. */
export type YubikeyValidation = 'local' | 'cloud';

/** How a security key may sign: COSE algorithms -7, -8 and -257 (RFC 9053, RFC 8812). */
export type KeyAlgorithm = 'es256' | 'eddsa' | 'rs256';
/** W3C Web Authentication Level 3, 5.8.6: a PIN or a finger at the authenticator itself. */
export type UserVerification = 'required' | 'preferred' | 'discouraged';

/** What an assertion is checked against. */
export interface Credential {
  readonly credentialId: string;
  readonly publicKey: string;
  /** What the signature is over: the relying party, or what stood in its place before WebAuthn. */
  readonly relyingParty: string;
}

/** A security key as it is asked for an assertion. */
export interface SecurityKey extends Credential {
  /** Each use is to ask for a PIN or a finger, whatever the realm says. */
  readonly verifiesUser: boolean;
  /** A browser can ask for it. */
  readonly inBrowser: boolean;
  /** Asked last, where there are more than one question can hold. */
  readonly isLegacy: boolean;
}

/** Keyed hash for recovery keys, scratch and bypass codes: HMAC-SHA256 under a key derived from a master key. */
export interface RecoveryHash {
  /** The master key for new sets. */
  readonly keyId: string;
  /** @throws store-key when that master key is gone: a matter of the record, whatever the answer */
  of(keyId: string, salt: Buffer, text: string): Buffer;
}

/** What a factor may know beyond its record. Nothing in factors/ reads a clock or a key by itself. */
export interface FactorContext {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Steps either side of the present one (realm: totp.skew). */
  readonly skew: number;
  readonly keyedHash: RecoveryHash;
  /** What the validation servers said of an OTP, when they were asked. */
  readonly validated?: Validated;
  /** What the signature under an assertion proves, when it was checked and is good. */
  readonly signed?: Signed;
  /** Of the realm; undefined: discouraged. */
  readonly userVerification?: UserVerification;
  /** A code of another time may be looked for: anyone else would learn from it. */
  readonly firstFactorVerified?: boolean;
  /** What the answer before this one, in the same call, left to prove. */
  readonly resync?: Resync;
}

/** `unavailable`: none of them could say, or was asked about this OTP. */
export type Validated = (otp: string) => 'valid' | Exclude<RejectReason, 'clock' | 'counter' | 'restored'>;

/**
 * What an answer looks like. One prompt takes every kind of answer; its shape alone tells which.
 * `text` is normalised: a code as its digits, a recovery key in lower case without dashes and spaces,
 * one of a legacy set with its dashes, a YubiKey OTP in lower case.
 */
export type AnswerFormat =
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'recovery'; readonly text: string }
  /** With its dashes, which are part of what was hashed. */
  | { readonly kind: 'legacy-recovery'; readonly text: string }
  | { readonly kind: 'bypass'; readonly text: string }
  | { readonly kind: 'yubikey'; readonly text: string }
  /** Of a security key; nobody types it. */
  | { readonly kind: 'assertion'; readonly assertion: Assertion }
  | { readonly kind: 'enter' }
  | { readonly kind: 'none' };

/**
 * What a security key answered to a challenge of ours. Made by whoever made the challenge, and by nobody else:
 * `challenge` and `origin` are what was asked, never what came back.
 */
export interface Assertion {
  /** Base64url. */
  readonly credentialId: string;
  /** Base64url of 32 random bytes, used for this one question. */
  readonly challenge: string;
  /** What clientDataJSON must say: "https://login.example.org", "pam://login.example.org". */
  readonly origin: string;
  readonly clientDataJSON: Buffer;
  readonly authenticatorData: Buffer;
  readonly signature: Buffer;
}

/** Undefined: the signature is not that of the record's key over this assertion, or was not checked. */
export type Signed = (assertion: Assertion, record: Credential) => SignedFacts | undefined;

/** What the authenticator says under its signature. */
export interface SignedFacts {
  readonly counter: number;
  readonly userVerified: boolean;
}

/** A right code of another time: by so much the clock of the device is ahead (behind, below 0). */
export interface ClockOffset {
  readonly factor: string;
  readonly seconds: number;
}

/**
 * A first HOTP code far ahead, or a TOTP code of another time: the code at `counter` proves that the device really is there. Of a YubiKey in doubt:
 * a press at or above `counter`.
 */
export interface Resync {
  readonly factor: string;
  readonly counter: number;
}

export type FactorVerdict<R extends AnyRecord = AnyRecord> =
  | {
      readonly outcome: 'accepted';
      readonly record: R;
      /** It was good once: the commit takes the record out. */
      readonly gone?: true;
    }
  | {
      readonly outcome: 'refused';
      readonly reason: RejectReason;
      readonly resync?: Resync;
      /** wrong: it is a right code of another time. */
      readonly offset?: ClockOffset;
      /** restored: when codes are accepted again. Milliseconds since the epoch. */
      readonly until?: number;
      /** restored: it is a code of this device, and guesses nothing. */
      readonly matches?: true;
    };

/**
 * first-of-two: right, but the record is in doubt, and the next one has to be too; wrong: no match; replay: a spent code; clock: the clock stands before the last-used mark; restored: a restore does not accept codes of this moment; unavailable: those
 * who validate it could not say; counter: a security key's counter stepped back, so there may be two of it.
 */
export type RejectReason =
  | 'wrong'
  | 'first-of-two'
  | 'replay'
  | 'clock'
  | 'restored'
  | 'unavailable'
  | 'counter';

/** Formats that are of one length each, whatever the account has. */
export type FixedFormat = Extract<AnswerFormat['kind'], 'recovery' | 'legacy-recovery' | 'bypass'>;

/** Which answers a record may take. */
export type AcceptedFormat =
  | { readonly kind: 'code'; readonly digits: number }
  | { readonly kind: FixedFormat }
  | { readonly kind: 'yubikey'; readonly publicId: string }
  | { readonly kind: 'assertion'; readonly credentialId: string };

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

/** Counters in the store that accounts with the same device share. */
export interface SharedCounters<R extends AnyRecord> {
  names(record: R): readonly string[];
  /** The record under its counters; a text: it must not be used, and why. */
  raise(record: R, counter: (name: string) => CounterValue | undefined): R | string;
  /** What the commit writes that accepts the record. */
  written(record: R): readonly (CounterValue & { readonly name: string })[];
}

/** One contract for all kinds; `test/unit/factors/contract.ts` is the suite that each passes. */
export interface FactorKind<R extends AnyRecord> {
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
