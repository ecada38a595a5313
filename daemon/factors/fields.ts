import * as v from 'valibot';
import { limits } from '../limits.ts';

/** Fields that records of several kinds share, as the store accepts them. */

/** The output of a schema, deeply read-only. */
export type Infer<S extends v.GenericSchema> = Immutable<v.InferOutput<S>>;
/** Deeply read-only. */
export type Immutable<T> = T extends string | number | boolean | null | undefined | Uint8Array
  ? T
  : T extends readonly (infer E)[]
    ? readonly Immutable<E>[]
    : { readonly [K in keyof T]: Immutable<T[K]> };

/** Milliseconds since the epoch. */
export const time = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** A last-used counter, or -1 for none. */
export const countOrNone = v.pipe(v.number(), v.safeInteger(), v.minValue(-1));
export const text = v.string();
export const base64 = v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]*={0,2}$/));

export const factorBase = {
  /** Random, stable, shown in lists and used in commands. */
  id: v.pipe(text, v.minLength(1)),
  /** The user's name for it ("pixel-7 authy"). */
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

/** Only after a restore or repair: codes above the last-used counter may have been used too. */
export const resyncRequired = v.exactOptional(v.literal(true));

/** What lockout, policy and the audit trail need to know of devices that show or type codes, and of security keys. */
export const typedCodeTraits = {
  countsAsCode: true,
  liftsCodeLock: false,
  isIssued: false,
  isSingle: false,
  runsOut: false,
} as const;
export const securityKeyTraits = { ...typedCodeTraits, countsAsCode: false } as const;

export const credentialFields = {
  /** Base64url, as WebAuthn writes it; of a U2F key its handle. */
  credentialId: v.pipe(text, v.regex(/^[A-Za-z0-9_-]+$/)),
  /** Base64 of the COSE key. */
  publicKey: base64,
  /** COSE algorithms -7, -8 and -257 (RFC 9053, RFC 8812). */
  algorithm: v.picklist(['es256', 'eddsa', 'rs256']),
  /** Of the last accepted assertion, four bytes in authenticatorData; 0: none yet, or the key has no counter. */
  counter: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 32 - 1)),
  /** Digests of the last answered challenges, newest first. */
  spent: v.array(base64),
};

export const salted = {
  /** The master key under which it was hashed: a hash cannot be converted to another one. */
  keyId: v.pipe(text, v.minLength(1)),
  /** Base64, one for the set. */
  salt: base64,
};

export const hashedSetFields = {
  ...salted,
  /** Base64 of each keyed hash; null once used. The index is the number of the key. */
  hashes: v.array(v.nullable(base64)),
};
const hashedSet = v.strictObject(hashedSetFields);
/** Single-use answers, kept as keyed hashes. */
export type HashedSet = Infer<typeof hashedSet>;

export function resyncText({ inDoubt }: { readonly inDoubt?: true }): string {
  return inDoubt ? ', restored: requires two consecutive codes' : '';
}

export function minuteOf(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** Base64 of a secret in a request; its bytes are wiped after use. */
export const requestSecret = v.pipe(
  v.string(),
  v.base64(),
  v.maxLength(512),
  v.transform((encoded): Buffer => Buffer.from(encoded, 'base64')),
);

/** The fields of a factor from another system, beside its kind. */
export const portableBase = {
  /** As the other system called it; adjusted to our rules. */
  name: v.exactOptional(v.pipe(v.string(), v.maxBytes(limits.movedNameLength))),
  created: v.exactOptional(time),
  enabled: v.boolean(),
};
/** Base64 of a secret, as the other system has it. */
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
