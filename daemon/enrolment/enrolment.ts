import type { Realm } from '../config/contract.ts';
import type { AnswerFormat, FactorContext } from '../factors/answer.ts';
import { answerFormatOf } from '../factors/answers/answer-format.ts';
import type { EnrolTools, Made } from '../factors/contract.ts';
import { exclusiveRequirement, type YubikeyValidation } from '../factors/contract.ts';
import { type FactorRecord, type KindName, kindOf, satisfiesRequirement } from '../factors/kinds.ts';
import { noCurrentCode } from '../factors/seed.ts';
import { SallyportError } from '../lib/errors.ts';
import { limits } from '../limits.ts';
import type { AccountRecord } from '../store/contract.ts';
import type { EnrolRequest } from '../verifier/contract.ts';
import { acceptedAnswer } from '../verifier/replay.ts';
import { nameFor } from './factor-name.ts';

/** An account's record with one more factor, not yet committed. */
export interface Enrolled {
  readonly record: AccountRecord;
  readonly factor: FactorRecord;
  /** In clear, shown once. */
  readonly recoveryKeys?: readonly string[];
  readonly bypassCode?: string;
  readonly replaced: readonly FactorRecord[];
}

/** A new factor that is not verified yet. */
export interface Unverified extends Made<FactorRecord> {
  readonly kept: readonly FactorRecord[];
  readonly replaced: readonly FactorRecord[];
}

/**
 * @param tools without the code, which is in the request
 * @throws SallyportError `bad-secret`, `bad-key`, `bad-name`, `name-taken`, `factor-kind-not-allowed`, `too-many-factors`
 */
export function newFactor(
  request: EnrolRequest,
  { factors }: AccountRecord,
  realm: Realm,
  tools: EnrolTools,
): Unverified {
  refuseKind(request, realm);
  const kind = kindOf(request);
  const replaced = kind.traits.isSingle ? factors.filter((old) => old.kind === request.kind) : [];
  const kept = factors.filter((old) => !replaced.includes(old));
  refuseOneMore(kept);
  if (kind.enrolling === undefined)
    throw new SallyportError(
      'internal',
      `internal error: no request can add the kind ${request.kind}; please report this`,
    );
  const id = tools.randomness.bytes(6).toString('hex');
  const base = { id, name: nameFor(request, kept), created: tools.now, enabled: true };
  const code = request.code === undefined ? {} : { code: request.code };
  return { ...kind.enrolling.make(request, base, kept, { ...tools, ...code }), kept, replaced };
}

/**
 * Invariants:
 * - the code that verifies a new factor is consumed by it: the record already carries the last-used counter;
 * - one account never holds one seed or key twice, or one code would be valid twice;
 * - where the realm allows only YubiKeys, no other kind but recovery keys is added (R8, R9);
 * - every change of factors voids active grants.
 *
 * @throws SallyportError `wrong-code`, `bad-secret`, `bad-key`, `bad-name`, `name-taken`, `factor-kind-not-allowed`, `too-many-factors`
 */
export function enrolled(
  request: EnrolRequest,
  record: AccountRecord,
  realm: Realm,
  context: FactorContext,
  { record: unverified, kept, replaced, ...shown }: Unverified,
): Enrolled {
  const factor = request.verify ? verifiedFactor(unverified, request, context) : unverified;
  const format = request.verify ? proofIn(request, factor) : noFormat;
  const accepted = acceptedAnswer(format, record.account, factor, realm, context.now);
  return {
    record: {
      ...record,
      factors: [...kept, factor],
      grants: [],
      ...(accepted === undefined ? {} : { accepted }),
    },
    factor,
    replaced,
    ...shown,
  };
}

/** @throws SallyportError `too-many-factors` */
export function refuseOneMore(kept: readonly FactorRecord[]): void {
  if (kept.length < limits.factorsPerAccount) return;
  throw new SallyportError(
    'too-many-factors',
    `the account has ${kept.length} factors, the maximum; remove an unused one`,
  );
}

const noFormat: AnswerFormat = { kind: 'none' };

/** Whether a factor of this kind can be verified by a code or a touch. */
export function hasCode(kind: KindName): boolean {
  const proof = kindOf({ kind }).enrolling?.proof;
  return proof !== 'none' && proof !== 'issuer';
}

/** @throws SallyportError `factor-kind-not-allowed` */
export function refuseKind(
  request: { readonly kind: KindName; readonly validation?: YubikeyValidation },
  realm: Realm,
): void {
  const { kind } = request;
  const why = kindOf({ kind }).notTaken?.(request, realm);
  if (why !== undefined) throw new SallyportError('factor-kind-not-allowed', why);
  const isExclusive =
    Array.isArray(realm.require) && realm.require.every((required) => required === exclusiveRequirement);
  if (satisfiesRequirement(realm.require, kind) || !isExclusive) return;
  throw new SallyportError(
    'factor-kind-not-allowed',
    `the realm "${realm.name}" requires a YubiKey OTP and takes no ${kind}; add recovery keys, or change the realm`,
  );
}

/** Evaluated as in a login; the returned record carries the last-used counter. */
function verifiedFactor(factor: FactorRecord, request: EnrolRequest, context: FactorContext): FactorRecord {
  const { enrolling, verify } = kindOf(factor);
  if (enrolling?.proof !== 'code' && enrolling?.proof !== 'touch') return factor;
  const verdict = verify(factor, proofIn(request, factor), context);
  if (verdict.outcome === 'accepted') return verdict.record;
  throw enrolling.refusal?.(factor, verdict) ?? noCurrentCode(verdict);
}

function proofIn(request: EnrolRequest, factor: FactorRecord): AnswerFormat {
  if (request.assertion !== undefined) return { kind: 'assertion', assertion: request.assertion };
  const digits = new Set<number>('digits' in factor ? [factor.digits] : []);
  return answerFormatOf(request.code ?? Buffer.alloc(0), digits);
}
