import type { Shape } from './shape.ts';

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
  /** Steps by which the device runs ahead (+) or behind (-); -10 to 10. */
  readonly drift: number;
}

/** RFC 4226. */
export interface HotpRecord extends FactorBase {
  readonly kind: 'hotp';
  readonly secret: string;
  readonly digits: OtpDigits;
  readonly algorithm: OtpAlgorithm;
  /** The next moving factor expected; all below are spent. */
  readonly counter: number;
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
}

/** Validated by servers that have its AES key. */
export interface CloudYubikey extends YubikeyBase {
  readonly validation: 'cloud';
}

/** One set of single-use recovery keys; an account has one at the most. */
export interface RecoveryRecord extends FactorBase {
  readonly kind: 'recovery';
  /** The master key under which the set was hashed: a hash cannot be moved to another one. */
  readonly keyId: string;
  /** Base64, one for the set. */
  readonly salt: string;
  /** Base64 of the keyed hash of each key; null once it is used. The index is the key's number. */
  readonly hashes: readonly (string | null)[];
}

export type FactorRecord = TotpRecord | HotpRecord | YubikeyRecord | RecoveryRecord;
export type FactorKind = FactorRecord['kind'];

/** Keyed hash for recovery keys: HMAC-SHA256 under a key derived from a master key. */
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
  /** What the answer before this one, in the same call, left to prove. */
  readonly resync?: Resync;
}

/** `unavailable`: none of them could say, or was asked about this OTP. */
export type Validated = (otp: string) => 'valid' | Exclude<NotAccepted, 'clock'>;

/** A first HOTP code far ahead: the code at `counter` proves that the device really is there. */
export interface Resync {
  readonly factor: string;
  readonly counter: number;
}

export type FactorVerdict<R extends FactorRecord = FactorRecord> =
  | { readonly outcome: 'accepted'; readonly record: R }
  | { readonly outcome: 'refused'; readonly reason: NotAccepted; readonly resync?: Resync };

/**
 * wrong: no match; replay: a spent code; clock: the clock stands before the last-used mark; unavailable: those
 * who validate it could not say.
 */
export type NotAccepted = 'wrong' | 'replay' | 'clock' | 'unavailable';

/** One contract for all factors; `test/unit/factors/contract.ts` is the suite that each passes. */
export interface Factor<R extends FactorRecord = FactorRecord> {
  readonly kind: R['kind'];
  /** Typed codes share `lockout.codes`; recovery keys do not. */
  readonly countsAsCode: boolean;
  /** Whether it can still let anybody in: a used-up recovery set is no factor. */
  usable(record: R): boolean;
  /** Whether an answer of this shape may be for this record. */
  takes(record: R, shape: Shape): boolean;
  /** Pure. Never throws for any answer. On acceptance `record` is what MUST be committed before SUCCESS. */
  verify(record: R, shape: Shape, context: FactorContext): FactorVerdict<R>;
}
