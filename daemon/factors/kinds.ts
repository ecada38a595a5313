import * as v from 'valibot';
import { bypass } from './bypass.ts';
import type { FactorKind, SecurityKey } from './contract.ts';
import type { Infer } from './fields.ts';
import { hotp } from './hotp.ts';
import { recovery } from './recovery.ts';
import { scratch } from './scratch.ts';
import { sshSk } from './ssh-sk.ts';
import { totp } from './totp.ts';
import { u2f } from './u2f.ts';
import { webauthn } from './webauthn.ts';
import { yubikey } from './yubikey.ts';

/** The one table of kinds: a new kind is its own file and a row here. */
export const kinds = {
  totp,
  hotp,
  yubikey,
  webauthn,
  u2f,
  'ssh-sk': sshSk,
  recovery,
  scratch,
  bypass,
} as const;

export type KindName = keyof typeof kinds;
export type FactorRecord = Infer<(typeof kinds)[KindName]['schema']>;

/** The code for a record of this kind. */
export function kindOf({ kind }: { readonly kind: KindName }): FactorKind<FactorRecord> {
  // Each takes the records of its own kind alone, which is the one that it was looked up by.
  return kinds[kind] as unknown as FactorKind<FactorRecord>;
}

/** What a security key is asked by; undefined: the record is none of one. */
export function credentialOf(record: FactorRecord): SecurityKey | undefined {
  return kindOf(record).credential?.(record);
}

/** What the store accepts as a factor. */
export const factorSchema = v.variant(
  'kind',
  Object.values(kinds).map(({ schema }) => schema) as unknown as [AnyKindSchema],
) as unknown as v.GenericSchema<unknown, FactorRecord>;
type AnyKindSchema = v.StrictObjectSchema<{ readonly kind: v.LiteralSchema<KindName, undefined> }, undefined>;
