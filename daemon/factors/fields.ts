import * as v from 'valibot';
import { limits } from '../limits.ts';

/** Fields that records of several kinds share, as the store accepts them. */

/** What a schema takes, and nothing of it may be changed. */
export type Infer<S extends v.GenericSchema> = Immutable<v.InferOutput<S>>;
type Immutable<T> = T extends string | number | boolean | null | undefined | Uint8Array
  ? T
  : T extends readonly (infer E)[]
    ? readonly Immutable<E>[]
    : { readonly [K in keyof T]: Immutable<T[K]> };

/** Milliseconds since the epoch. */
export const time = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** A mark, or -1 for none. */
export const countOrNone = v.pipe(v.number(), v.safeInteger(), v.minValue(-1));
export const text = v.string();
export const base64 = v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]*={0,2}$/));

export const factorBase = {
  /** Random, stable, shown in lists and used in commands. */
  id: v.pipe(text, v.minLength(1)),
  /** What the user calls it ("pixel-7 authy"). */
  name: text,
  created: time,
  lastUsed: v.exactOptional(time),
  enabled: v.boolean(),
};

export const otpFields = {
  /** Base64 of the raw seed. */
  secret: base64,
  digits: v.picklist([6, 7, 8]),
  algorithm: v.picklist(['sha1', 'sha256', 'sha512']),
};
const otp = v.strictObject(otpFields);
export type OtpFields = Infer<typeof otp>;

export const algorithmNames: Readonly<Record<OtpFields['algorithm'], string>> = {
  sha1: 'SHA-1',
  sha256: 'SHA-256',
  sha512: 'SHA-512',
};

/** Only where a store was restored or repaired: what is above the mark may be spent too. */
export const resyncRequired = v.exactOptional(v.literal(true));

export const credentialFields = {
  /** Base64url, as WebAuthn writes it; of a U2F key its handle. */
  credentialId: v.pipe(text, v.regex(/^[A-Za-z0-9_-]+$/)),
  /** Base64 of the COSE key. */
  publicKey: base64,
  /** COSE algorithms -7, -8 and -257 (RFC 9053, RFC 8812). */
  algorithm: v.picklist(['es256', 'eddsa', 'rs256']),
  /** Of the assertion accepted last, four bytes in authenticatorData; 0: none yet, or a key that keeps none. */
  counter: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 32 - 1)),
  /** Digests of the challenges that were answered last, the newest first. */
  spent: v.array(base64),
};

export const salted = {
  /** The master key under which it was hashed: a hash cannot be moved to another one. */
  keyId: v.pipe(text, v.minLength(1)),
  /** Base64, one for the set. */
  salt: base64,
};

export const hashedSetFields = {
  ...salted,
  /** Base64 of the keyed hash of each; null once it is used. The index is its number. */
  hashes: v.array(v.nullable(base64)),
};
const hashedSet = v.strictObject(hashedSetFields);
/** Single-use answers, kept as keyed hashes. */
export type HashedSet = Infer<typeof hashedSet>;

export function resyncText({ inDoubt }: { readonly inDoubt?: true }): string {
  return inDoubt ? ', restored: waits for two in a row' : '';
}

export function minuteOf(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** What a factor of another system says of itself beside its kind. */
export const portableBase = {
  /** As the other system called it; made to fit. */
  name: v.exactOptional(v.pipe(v.string(), v.maxBytes(limits.movedNameLength))),
  created: v.exactOptional(time),
  enabled: v.boolean(),
};
/** Base64 of a secret, as another system has it. */
export const portableSecret = v.pipe(v.string(), v.base64(), v.maxLength(1_024));
export const portableOtp = {
  secret: portableSecret,
  digits: otpFields.digits,
  algorithm: otpFields.algorithm,
};
export const portableCredential = {
  /** Base64url. */
  credentialId: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]+$/), v.maxLength(limits.credentialIdText)),
  /** Base64 of the raw key, as `coseKey` takes it. */
  publicKey: portableSecret,
  algorithm: credentialFields.algorithm,
};
