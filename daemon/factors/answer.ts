/** What is answered, what is known beside a record when it is looked at, and what comes of it. */

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
 * resync-required: right, but the record is in doubt, and the next one has to be too; wrong: no match; replay: a spent code; clock: the clock stands before the last-used mark; restored: a restore does not accept codes of this moment; unavailable: those
 * who validate it could not say; counter: a security key's counter stepped back, so there may be two of it.
 */
export type RejectReason =
  | 'wrong'
  | 'resync-required'
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
