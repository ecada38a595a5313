import type { AnswerFormat } from './answer-format.ts';

/** Kinds that a realm may require. */
export type RequirableKind = 'totp' | 'webauthn' | 'yubikey';

export interface FactorBase {
  /** Random, stable, shown in lists and used in commands. */
  readonly id: string;
  /** What the user calls it ("pixel-7 authy"). */
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly created: number;
  readonly lastUsed?: number;
  readonly enabled: boolean;
}

export type OtpAlgorithm = 'sha1' | 'sha256' | 'sha512';
export type OtpDigits = 6 | 7 | 8;

/** RFC 6238. */
export interface TotpRecord extends FactorBase {
  readonly kind: 'totp';
  /** Base64 of the raw seed. */
  readonly secret: string;
  readonly digits: OtpDigits;
  /** Seconds, 15 to 300. */
  readonly period: number;
  readonly algorithm: OtpAlgorithm;
  /** The moving factor of the last code accepted; a step at or below it is refused. -1: none yet. */
  readonly lastStep: number;
  /**
   * Equal to `lastStep`: a restore set that mark, since codes up to it may have been used. Anything else: it says
   * nothing any more.
   */
  readonly heldStep?: number;
  /** A code of another time, refused since the last one that was accepted: how far the device's clock is out. */
  readonly lastOffset?: { readonly seconds: number; readonly at: number };
  /** Steps by which the device runs ahead (+) or behind (-); -10 to 10. */
  readonly drift: number;
}

/**
 * The mark is that of an older copy of the store: what is above it may be spent too. Two answers in a row, each
 * above the one before, end the doubt.
 */
export type ResyncRequired = true;

/** RFC 4226. */
export interface HotpRecord extends FactorBase {
  readonly kind: 'hotp';
  readonly secret: string;
  readonly digits: OtpDigits;
  readonly algorithm: OtpAlgorithm;
  /** The next moving factor expected; all below are spent. */
  readonly counter: number;
  readonly inDoubt?: ResyncRequired;
}

/** A YubiKey in slot OTP, validated the way it was added. */
export type YubikeyRecord = LocalYubikey | CloudYubikey;
export type YubikeyValidation = YubikeyRecord['validation'];

interface YubikeyBase extends FactorBase {
  readonly kind: 'yubikey';
  /** Modhex of the 1 to 8 bytes that the key puts before each block. */
  readonly publicId: string;
  /** Digests of the blocks accepted last, the newest first: servers have been seen to take one again. */
  readonly spent: readonly string[];
}

/** Validated here, with its AES key. */
export interface LocalYubikey extends YubikeyBase {
  readonly validation: 'local';
  /** Base64 of 6 bytes. */
  readonly privateId: string;
  /** Base64 of the AES key, 16 bytes. */
  readonly secret: string;
  /** Use counter * 256 + session counter of the last press accepted; -1: none yet. */
  readonly lastPress: number;
  readonly inDoubt?: ResyncRequired;
}

/** Validated by servers that have its AES key. */
export interface CloudYubikey extends YubikeyBase {
  readonly validation: 'cloud';
}

/** How a security key may sign: COSE algorithms -7, -8 and -257 (RFC 9053, RFC 8812). */
export type KeyAlgorithm = 'es256' | 'eddsa' | 'rs256';
/** W3C Web Authentication Level 3, 5.8.6: a PIN or a finger at the authenticator itself. */
export type UserVerification = 'required' | 'preferred' | 'discouraged';

interface CredentialBase extends FactorBase {
  /** Base64url, as WebAuthn writes it; of a U2F key its handle. */
  readonly credentialId: string;
  /** Base64 of the COSE key. */
  readonly publicKey: string;
  readonly algorithm: KeyAlgorithm;
  /** Signature counter of the assertion accepted last; 0: none yet, or a key that keeps none. */
  readonly counter: number;
  /** Digests of the challenges that were answered last, the newest first. */
  readonly spent: readonly string[];
}

/** A security key's credential for the relying party of the configuration. */
export interface WebauthnRecord extends CredentialBase {
  readonly kind: 'webauthn';
  readonly rpId: string;
  /** Model of the authenticator, as a UUID; all zero: it does not say. */
  readonly aaguid: string;
  /** The model was proven by attestation that leads to a root in the realm's metadata. */
  readonly attested: boolean;
  /** The authenticator keeps the credential itself. */
  readonly resident: boolean;
  /** As the authenticator said at enrolment: "usb", "internal", "hybrid"; for a browser, to find it. */
  readonly transports: readonly string[];
}

/** A credential that was made before WebAuthn, or for a relying party of pam_u2f's. */
export interface U2fRecord extends CredentialBase {
  readonly kind: 'u2f';
  /** What it was made for: an AppID ("https://login.example.org"), or what pam_u2f was told ("pam://host"). */
  readonly appId: string;
  /** It was made so that each use asks for a PIN or a finger. */
  readonly verified: boolean;
}

/** A FIDO key of OpenSSH's: sshd verifies it, we match it (PROTOCOL.u2f). */
export interface SshSkRecord extends FactorBase {
  readonly kind: 'ssh-sk';
  readonly keyType: 'sk-ssh-ed25519@openssh.com' | 'sk-ecdsa-sha2-nistp256@openssh.com';
  /** Base64 of the public key blob, as the .pub file and SSH_AUTH_INFO_0 write it. */
  readonly publicKey: string;
}

/** What can be asked for an assertion. */
export type CredentialRecord = WebauthnRecord | U2fRecord;

/** Single-use answers, kept as keyed hashes. */
export interface HashedSet {
  /** The master key under which the set was hashed: a hash cannot be moved to another one. */
  readonly keyId: string;
  /** Base64, one for the set. */
  readonly salt: string;
  /** Base64 of the keyed hash of each; null once it is used. The index is its number. */
  readonly hashes: readonly (string | null)[];
}

/** One set of single-use recovery keys; an account has one at the most. */
export interface RecoveryRecord extends FactorBase, HashedSet {
  readonly kind: 'recovery';
  /** A set that was made elsewhere: what is hashed are the hashes that were kept there. */
  readonly legacy?: {
    readonly scheme: 'proxmox';
    /** 16 hex digits: the key of their hash. */
    readonly secret: string;
  };
}

/** Scratch codes of google-authenticator, imported; an account has one set at the most. */
export interface ScratchRecord extends FactorBase, HashedSet {
  readonly kind: 'scratch';
  readonly digits: 8;
}

/** A single-use code that an admin gave, good from `created`; an account has one at the most. */
export interface BypassRecord extends FactorBase, Pick<HashedSet, 'keyId' | 'salt'> {
  readonly kind: 'bypass';
  /** Base64; null once it is used: such a record is never stored. */
  readonly hash: string | null;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

export type FactorRecord =
  | TotpRecord
  | HotpRecord
  | YubikeyRecord
  | WebauthnRecord
  | U2fRecord
  | SshSkRecord
  | RecoveryRecord
  | ScratchRecord
  | BypassRecord;
export type KindName = FactorRecord['kind'];

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
export type Signed = (assertion: Assertion, record: CredentialRecord) => SignedFacts | undefined;

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

export type FactorVerdict<R extends FactorRecord = FactorRecord> =
  | { readonly outcome: 'accepted'; readonly record: R }
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

/** One contract for all factors; `test/unit/factors/contract.ts` is the suite that each passes. */
export interface Factor<R extends FactorRecord = FactorRecord> {
  readonly kind: R['kind'];
  /** Typed codes share `lockout.codes`; recovery keys do not. */
  readonly countsAsCode: boolean;
  /**
   * Whether it can let anybody in now: a used-up recovery set is no factor, nor is a bypass code at its end.
   * @param now milliseconds since the epoch
   */
  usable(record: R, now: number): boolean;
  /** Whether an answer of this shape may be for this record. */
  takes(record: R, shape: AnswerFormat): boolean;
  /** Pure. Never throws for any answer. On acceptance `record` is what MUST be committed before SUCCESS. */
  verify(record: R, shape: AnswerFormat, context: FactorContext): FactorVerdict<R>;
}
