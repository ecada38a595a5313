/** An answer, the context in which a record verifies it, and the verdict. */

/** The fields that every record has beside its kind. */
export interface FactorBase {
  readonly id: string;
  readonly name: string;
  readonly created: number;
  readonly lastUsed?: number;
  readonly enabled: boolean;
}

/** A record of any kind, as one factor sees the others. */
export interface AnyRecord extends FactorBase {
  /** The name in the table of kinds. */
  readonly kind: string;
}

/** The signature algorithms of security keys: COSE -7, -8 and -257 (RFC 9053, RFC 8812). */
export type KeyAlgorithm = 'es256' | 'eddsa' | 'rs256';
/** W3C Web Authentication Level 3, 5.8.6: a PIN or fingerprint on the authenticator itself. */
export type UserVerification = 'required' | 'preferred' | 'discouraged';

/** What an assertion is verified against. */
export interface Credential {
  readonly credentialId: string;
  readonly publicKey: string;
  /** What the signature covers: the relying party, or its predecessor before WebAuthn. */
  readonly relyingParty: string;
}

/** A security key in an assertion request. */
export interface SecurityKey extends Credential {
  /** Each use must ask for a PIN or fingerprint, whatever the realm says. */
  readonly verifiesUser: boolean;
  /** A browser can request it. */
  readonly inBrowser: boolean;
  /** Requested last, if there are more credentials than one request can hold. */
  readonly isLegacy: boolean;
}

/** Keyed hash for recovery keys, scratch and bypass codes: HMAC-SHA256 under a key derived from a master key. */
export interface RecoveryHash {
  /** The master key for new sets. */
  readonly keyId: string;
  /** @throws store-key if that master key is gone: this depends on the record, not on the answer */
  of(keyId: string, salt: Buffer, text: string): Buffer;
}

/** What a factor may use beside its record. Nothing in factors/ reads a clock or a key itself. */
export interface FactorContext {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Steps on either side of the present one (realm: totp.skew). */
  readonly skew: number;
  readonly keyedHash: RecoveryHash;
  /** The validation servers' verdict on an OTP, if they were queried. */
  readonly validated?: Validated;
  /** What the signature in an assertion proves, if it was verified. */
  readonly signed?: Signed;
  /** Of the realm; undefined means discouraged. */
  readonly userVerification?: UserVerification;
  /** A code of another time may be searched for: an unverified party would learn from the result. */
  readonly firstFactorVerified?: boolean;
  /** What the previous answer in the same call left to verify. */
  readonly resync?: Resync;
}

/** `unavailable`: no server gave a verdict on this OTP. */
export type Validated = (otp: string) => 'valid' | Exclude<RejectReason, 'clock' | 'counter' | 'restored'>;

/**
 * The format of an answer. One prompt accepts every kind of answer; only the format tells them apart.
 * `text` is normalised: a code as its digits, a recovery key in lower case without dashes and spaces, a legacy
 * recovery key with its dashes, a YubiKey OTP in lower case.
 */
export type AnswerFormat =
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'recovery'; readonly text: string }
  /** With its dashes, which were part of the hashed text. */
  | { readonly kind: 'legacy-recovery'; readonly text: string }
  | { readonly kind: 'bypass'; readonly text: string }
  | { readonly kind: 'yubikey'; readonly text: string }
  /** From a security key; never typed. */
  | { readonly kind: 'assertion'; readonly assertion: Assertion }
  | { readonly kind: 'enter' }
  | { readonly kind: 'none' };

/**
 * The answer of a security key to a challenge of ours. Only the code that made the challenge creates it:
 * `challenge` and `origin` are those of the request, never those of the response.
 */
export interface Assertion {
  /** Base64url. */
  readonly credentialId: string;
  /** Base64url of 32 random bytes, used only for this request. */
  readonly challenge: string;
  /** What clientDataJSON must say: "https://login.example.org", "pam://login.example.org". */
  readonly origin: string;
  readonly clientDataJSON: Buffer;
  readonly authenticatorData: Buffer;
  readonly signature: Buffer;
}

/** undefined if the signature is not by the record's key over this assertion, or was not verified. */
export type Signed = (assertion: Assertion, record: Credential) => SignedFacts | undefined;

/** What the authenticator reports under its signature. */
export interface SignedFacts {
  readonly counter: number;
  readonly userVerified: boolean;
}

/** A code that is correct at another time: how far the clock of the device is ahead (negative: behind). */
export interface ClockOffset {
  readonly factor: string;
  readonly seconds: number;
}

/**
 * A first HOTP code far ahead, or a TOTP code of another time: the code at `counter` proves that the device really
 * is there. For a YubiKey that requires resynchronisation: a press at or above `counter`.
 */
export interface Resync {
  readonly factor: string;
  readonly counter: number;
}

export type FactorVerdict<R extends AnyRecord = AnyRecord> =
  | {
      readonly outcome: 'accepted';
      readonly record: R;
      /** Single use: the commit removes the record. */
      readonly gone?: true;
    }
  | {
      readonly outcome: 'refused';
      readonly reason: RejectReason;
      readonly resync?: Resync;
      /** wrong: the code is correct at another time. */
      readonly offset?: ClockOffset;
      /** restored: when codes are accepted again, in milliseconds since the epoch. */
      readonly until?: number;
      /** restored: it is a code of this device, and guesses nothing. */
      readonly matches?: true;
    };

/**
 * - resync-required: correct, but the record needs two consecutive codes;
 * - wrong: no match;
 * - replay: a used code;
 * - clock: the clock is before the last-used counter;
 * - restored: after a restore, codes of this moment may already be used;
 * - unavailable: the validation service gave no verdict;
 * - counter: a security key's counter went backwards, so it may have been cloned.
 */
export type RejectReason =
  | 'wrong'
  | 'resync-required'
  | 'replay'
  | 'clock'
  | 'restored'
  | 'unavailable'
  | 'counter';

/** Formats with one fixed length, whatever the account has. */
export type FixedFormat = Extract<AnswerFormat['kind'], 'recovery' | 'legacy-recovery' | 'bypass'>;

/** The answers that a record may accept. */
export type AcceptedFormat =
  | { readonly kind: 'code'; readonly digits: number }
  | { readonly kind: FixedFormat }
  | { readonly kind: 'yubikey'; readonly publicId: string }
  | { readonly kind: 'assertion'; readonly credentialId: string };

/**
 * The response of a security key to a request for a new credential. `challenge`, `origin` and `rpId` are those of
 * the request, never those of the response.
 */
export interface Registration {
  /** Base64url. */
  readonly credentialId: string;
  readonly challenge: string;
  readonly origin: string;
  readonly rpId: string;
  readonly clientDataJSON: Buffer;
  readonly attestationObject: Buffer;
  readonly transports: readonly string[];
}

/** What a registration proves of a new credential. */
export interface Registered {
  readonly credentialId: string;
  /** Base64 of the COSE key. */
  readonly publicKey: string;
  readonly algorithm: KeyAlgorithm;
  readonly counter: number;
  readonly rpId: string;
  readonly aaguid: string;
  readonly attested: boolean;
  readonly resident: boolean;
  readonly transports: readonly string[];
}
