import * as v from 'valibot';
import { isAccepted } from './answers/answer-format.ts';
import { bypass } from './bypass.ts';
import type {
  AnswerFormat,
  Details,
  EnrolProof,
  FactorBase,
  FactorKind,
  RealmTerms,
  SecurityKey,
} from './contract.ts';
import type { Immutable, Infer } from './fields.ts';
import { hotp } from './hotp.ts';
import { recovery } from './recovery.ts';
import { scratch } from './scratch.ts';
import { sshSk } from './ssh-sk.ts';
import { totp } from './totp.ts';
import { u2f } from './u2f.ts';
import { webauthn } from './webauthn.ts';
import { yubikey } from './yubikey.ts';

/** The table of kinds: a new kind needs its own file and a row here. */
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
type EnrollingOf<K extends KindName> = NonNullable<(typeof kinds)[K]['enrolling']>;
/** The request for a new factor, of the kinds that are verified in one of these ways. */
export type NewFactor<E extends EnrolProof = EnrolProof> = {
  [K in KindName]: EnrollingOf<K>['proof'] extends E ? Infer<EnrollingOf<K>['request']> : never;
}[KindName];
/** The same as JSON has it. */
export type NewFactorJson<E extends EnrolProof = EnrolProof> = {
  [K in KindName]: EnrollingOf<K>['proof'] extends E
    ? Immutable<v.InferInput<EnrollingOf<K>['request']>>
    : never;
}[KindName];
/** A factor of another system. */
export type PortableFactor = Infer<NonNullable<(typeof kinds)[KindName]['importing']>['schema']>;

/** The kind that is enrolled in a login of an account without a factor. */
export const kindAtLogin = 'totp' satisfies KindName;
/** The kind that a browser makes. */
export const browserKind = 'webauthn' satisfies NewFactor<'making'>['kind'];
/** The kind that an account keeps in case the others are lost; root can add it without a daemon. */
export const recoveryKind = 'recovery' satisfies KindName;
/** The kind that a rule may accept: sshd verifies it, before PAM. */
export const sshKind = 'ssh-sk' satisfies KindName;

/** A kind that is known only when it is looked up. */
export type AnyKind = FactorKind<FactorRecord, PortableFactor, v.GenericSchema<unknown, NewFactor>>;

/** Whether it needs a touch of a key that is plugged in and was made elsewhere. */
export function isTouched(request: NewFactor): request is NewFactor<'touch'> {
  return kindOf(request).enrolling?.proof === 'touch';
}

/** The code for a record of this kind. */
export function kindOf({ kind }: { readonly kind: KindName }): AnyKind {
  // Each takes only records of the kind by which it was looked up.
  return kinds[kind] as unknown as AnyKind;
}

/** A factor as it is listed: nothing that helps to make a code. */
export interface FactorSummary extends FactorBase, Details {
  readonly kind: KindName;
}

export function summaryOf(record: FactorRecord): FactorSummary {
  const { id, kind, name, created, lastUsed, enabled } = record;
  const used = lastUsed === undefined ? {} : { lastUsed };
  return { id, kind, name, created, ...used, enabled, ...kindOf(record).details(record) };
}

/** Whether an answer of this format may be for this record. */
export function takes(record: FactorRecord, format: AnswerFormat): boolean {
  return kindOf(record)
    .answerFormats(record)
    .some((accepted) => isAccepted(accepted, format));
}

/** The credential of a security key; undefined if the record is of another kind. */
export function credentialOf(record: FactorRecord): SecurityKey | undefined {
  return kindOf(record).credential?.(record);
}

/** Blob of a key that sshd verifies; undefined if the record is of another kind. */
export function sshKeyOf(record: FactorRecord): string | undefined {
  return kindOf(record).sshKey?.(record);
}

/** Whether an administrator issued it, so that it does not belong to the account. */
export function isIssued(record: { readonly kind: KindName }): boolean {
  return kindOf(record).traits.isIssued;
}

export function satisfiesRequirement(require: RealmTerms['require'], kind: KindName): boolean {
  if (require === 'none' || require === 'any') return true;
  const { satisfies } = kindOf({ kind });
  return satisfies === 'each' || require.includes(satisfies);
}

/** The schema of factors in the store. */
export const factorSchema = variantOf<FactorRecord>(Object.values(kinds).map(({ schema }) => schema));

/** The schema of factors from other systems. */
export const portableSchema = variantOf<PortableFactor>(
  Object.values(kinds).flatMap(({ importing }) => importing?.schema ?? []),
);

/** The fields of a request that belong to no kind, by what verifies the factor. */
export type CommonFields<E extends EnrolProof> = Readonly<Record<E, v.ObjectEntries>>;

/** The schema of requests for factors that are verified in these ways: their own fields, and the common ones. */
export function requestSchema<E extends EnrolProof>(
  common: CommonFields<E>,
): v.GenericSchema<unknown, NewFactor<E>> {
  const fieldsBy: Partial<CommonFields<EnrolProof>> = common;
  const schemas = Object.values(kinds).flatMap(({ enrolling }) => {
    const fields = enrolling === undefined ? undefined : fieldsBy[enrolling.proof];
    return enrolling === undefined || fields === undefined ? [] : withFields(enrolling.request, fields);
  });
  return variantOf(schemas);
}

type RequestSchema =
  | v.StrictObjectSchema<v.ObjectEntries, undefined>
  | v.VariantSchema<string, v.VariantOptions<string>, undefined>;

function withFields(schema: unknown, fields: v.ObjectEntries): unknown {
  // Each is a strict object, or a variant of such; the test of the table verifies it.
  const request = schema as RequestSchema;
  return request.type === 'variant'
    ? v.variant(request.key, request.options.map((one) => withFields(one, fields)) as [AnyKindSchema])
    : v.strictObject({ ...request.entries, ...fields });
}

type AnyKindSchema = v.StrictObjectSchema<{ readonly kind: v.LiteralSchema<KindName, undefined> }, undefined>;

function variantOf<T>(schemas: readonly unknown[]): v.GenericSchema<unknown, T> {
  // Each is a strict object with its kind, or a variant of such; the test of the table verifies it.
  return v.variant('kind', schemas as [AnyKindSchema]) as unknown as v.GenericSchema<unknown, T>;
}
