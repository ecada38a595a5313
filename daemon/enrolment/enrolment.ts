import type { NewCredential } from '../authenticators/registrations.ts';
import type { Realm } from '../config/contract.ts';
import { answerFormatOf } from '../factors/answer-format.ts';
import { generateBypassCode, hashBypassCode } from '../factors/bypass.ts';
import {
  type AnswerFormat,
  exclusiveRequirement,
  type FactorBase,
  type FactorContext,
  type RejectReason,
  type YubikeyValidation,
} from '../factors/contract.ts';
import {
  credentialOf,
  type FactorRecord,
  type KindName,
  kindOf,
  satisfiesRequirement,
} from '../factors/kinds.ts';
import { generateRecoveryKeys, hashRecoveryKeys } from '../factors/recovery.ts';
import { checkSeed, hasSecret } from '../factors/seed.ts';
import { saltLength } from '../factors/single-use.ts';
import { legacyCredential } from '../factors/u2f.ts';
import { type CloudYubikey, isSameKey, type LocalYubikey, type YubikeyRecord } from '../factors/yubikey.ts';
import { aesKeyBytes, isPublicId, privateIdBytes } from '../factors/yubikey-otp.ts';
import { SallyportError } from '../lib/errors.ts';
import type { Randomness } from '../lib/randomness.ts';
import { offsetText } from '../lib/units.ts';
import { limits } from '../limits.ts';
import type { AccountRecord } from '../store/contract.ts';
import type { EnrolRequest } from '../verifier/contract.ts';
import { acceptedAnswer } from '../verifier/replay.ts';
import { raised, type YubikeyCounters } from '../verifier/yubikey-counters.ts';
import { nameFor } from './factor-name.ts';
import { newSshSk } from './ssh-enrolment.ts';

/** An account's record with one more factor, not yet committed. */
export interface Enrolled {
  readonly record: AccountRecord;
  readonly factor: FactorRecord;
  /** In clear, shown once. */
  readonly recoveryKeys?: readonly string[];
  readonly bypassCode?: string;
  readonly replaced: readonly FactorRecord[];
}

/** The YubiKey that is to be added, not validated, and its last-used counter. */
export interface Touched {
  readonly yubikey: Bare<CloudYubikey> | Bare<LocalYubikey>;
  readonly marks: YubikeyCounters;
}

/** What was determined about a new factor before it is made. */
export interface Found {
  readonly touched?: Touched;
  readonly credential?: NewCredential;
}

/** Without the fields that every factor has. */
type Bare<R> = Omit<R, keyof FactorBase>;

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
  randomness: Randomness,
  found: Found = {},
): Enrolled {
  refuseKind(request, realm);
  const isSingle = request.kind === 'recovery' || request.kind === 'bypass';
  const replaced = isSingle ? record.factors.filter((old) => old.kind === request.kind) : [];
  const kept = record.factors.filter((old) => !replaced.includes(old));
  refuseOneMore(kept);
  const made = make(request, kept, context, randomness, found);
  const factor = request.verify ? verifiedFactor(made.factor, request, context) : made.factor;
  const shape = request.verify ? proofIn(request, factor) : noShape;
  const accepted = acceptedAnswer(shape, record.account, factor, realm, context.now);
  return {
    record: {
      ...record,
      factors: [...kept, factor],
      grants: [],
      ...(accepted === undefined ? {} : { accepted }),
    },
    factor,
    replaced,
    ...(made.recoveryKeys === undefined ? {} : { recoveryKeys: made.recoveryKeys }),
    ...(made.bypassCode === undefined ? {} : { bypassCode: made.bypassCode }),
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

const noShape: AnswerFormat = { kind: 'none' };

/** Whether a factor of this kind can be verified by a code or a touch. */
export function hasCode(kind: KindName): boolean {
  return kind !== 'recovery' && kind !== 'ssh-sk' && kind !== 'bypass';
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

type Made = {
  readonly factor: FactorRecord;
  readonly recoveryKeys?: readonly string[];
  readonly bypassCode?: string;
};

function make(
  request: EnrolRequest,
  kept: readonly FactorRecord[],
  context: FactorContext,
  randomness: Randomness,
  { touched, credential }: Found,
): Made {
  const base = {
    id: randomness.bytes(6).toString('hex'),
    name: nameFor(request, kept),
    created: context.now,
    enabled: true,
  };
  if (request.kind === 'recovery') {
    const recoveryKeys = generateRecoveryKeys((max) => randomness.int(max));
    const hashes = hashRecoveryKeys(recoveryKeys, randomness.bytes(saltLength), context.keyedHash);
    return { factor: { ...base, kind: 'recovery', ...hashes }, recoveryKeys };
  }
  if (request.kind === 'bypass') {
    const bypassCode = generateBypassCode((max) => randomness.int(max));
    const hashed = hashBypassCode(bypassCode, randomness.bytes(saltLength), context.keyedHash);
    const until = context.now + request.forMs;
    return { factor: { ...base, kind: 'bypass', ...hashed, until }, bypassCode };
  }
  if (request.kind === 'yubikey') {
    if (touched === undefined)
      throw new SallyportError(
        'internal',
        'internal error: a YubiKey without its counters; please report this',
      );
    const factor = { ...base, ...touched.yubikey };
    checkYubikey(request, factor, kept);
    return { factor: raised(factor, touched.marks) };
  }
  if (request.kind === 'webauthn' || request.kind === 'u2f') {
    const made = request.kind === 'u2f' ? legacyCredential(request.credential) : credential;
    if (made === undefined)
      throw new SallyportError('internal', 'internal error: an unverified credential; please report this');
    const factor = { ...base, ...made };
    refuseSameCredential(factor, kept);
    return { factor };
  }
  if (request.kind === 'ssh-sk')
    return { factor: { ...base, kind: 'ssh-sk', ...newSshSk(request.publicKey, kept) } };
  checkSeed(request.secret);
  const secret = request.secret.toString('base64');
  refuseSecondUse(secret, kept);
  const { digits, algorithm } = request;
  if (request.kind === 'hotp')
    return { factor: { ...base, kind: 'hotp', secret, digits, algorithm, counter: request.counter } };
  const { period } = request;
  return { factor: { ...base, kind: 'totp', secret, digits, period, algorithm, lastStep: -1, drift: 0 } };
}

type YubikeyRequest = EnrolRequest & { kind: 'yubikey' };

/** The YubiKey in a request, not validated. @param touchedId the public id of the touch */
export function yubikeyOf(request: YubikeyRequest, touchedId: string): Touched['yubikey'] {
  const { kind } = request;
  if (request.validation === 'cloud') return { kind, validation: 'cloud', publicId: touchedId, spent: [] };
  const { publicId } = request;
  const privateId = request.privateId.toString('base64');
  const secret = request.secret.toString('base64');
  return { kind, validation: 'local', publicId, privateId, secret, lastPress: -1, spent: [] };
}

function checkYubikey(request: YubikeyRequest, factor: YubikeyRecord, kept: readonly FactorRecord[]): void {
  const wrong = (what: string) => {
    throw new SallyportError('bad-secret', `${what}; copy it as shown by the tool that programmed the key`);
  };
  if (request.validation === 'cloud' && factor.publicId === '')
    throw new SallyportError('wrong-code', 'not a YubiKey OTP; touch the key');
  if (!isPublicId(factor.publicId)) wrong('the public id has 2 to 16 modhex symbols (cbdefghijklnrtuv)');
  if (request.validation === 'local') {
    if (request.privateId.length !== privateIdBytes) wrong('the private id has 12 hex digits');
    if (request.secret.length !== aesKeyBytes) wrong('the AES key has 32 hex digits');
  }
  const same = kept.find((other) => other.kind === 'yubikey' && isSameKey(other, factor));
  if (same !== undefined)
    throw new SallyportError(
      'bad-secret',
      `the factor "${same.name}" of this account is this very YubiKey; remove it first`,
    );
}

function refuseSecondUse(secret: string, kept: readonly FactorRecord[]): void {
  const same = kept.find((factor) => hasSecret(factor, secret));
  if (same === undefined) return;
  throw new SallyportError(
    'bad-secret',
    `the factor "${same.name}" of this account has this very secret; remove it first, or use another secret`,
  );
}

/** Evaluated as in a login; the returned record carries the last-used counter. */
function verifiedFactor(factor: FactorRecord, request: EnrolRequest, context: FactorContext): FactorRecord {
  if (!hasCode(factor.kind) || factor.kind === 'webauthn') return factor;
  const verdict = kindOf(factor).verify(factor, proofIn(request, factor), context);
  if (verdict.outcome === 'accepted') return verdict.record;
  if (factor.kind === 'yubikey') throw refusedTouch(factor, verdict.reason);
  if (factor.kind === 'u2f')
    throw new SallyportError(
      'wrong-code',
      'the key that was touched did not sign for this public key; check it and the AppID',
    );
  if (verdict.offset !== undefined)
    throw new SallyportError(
      'wrong-code',
      `that is ${offsetText(verdict.offset.seconds)}: set the clock of the device right, or that of this machine`,
    );
  throw new SallyportError(
    'wrong-code',
    `not a current code for this secret; check the secret, the clock of the device and of this machine`,
  );
}

function proofIn(request: EnrolRequest, factor: FactorRecord): AnswerFormat {
  if (request.kind === 'u2f')
    return request.assertion === undefined ? noShape : { kind: 'assertion', assertion: request.assertion };
  const digits = new Set<number>('digits' in factor ? [factor.digits] : []);
  return answerFormatOf(request.code ?? Buffer.alloc(0), digits);
}

function refusedTouch(
  { validation }: FactorRecord & { kind: 'yubikey' },
  reason: RejectReason,
): SallyportError {
  if (reason === 'unavailable')
    return new SallyportError(
      'validation-unavailable',
      'the validation servers gave no verdict; the log of sallyportd says why, and `yubikey` in the realm which they are',
    );
  if (reason === 'replay')
    return new SallyportError(
      'wrong-code',
      'that press, or a later one, was already used; touch the key again',
    );
  const what =
    validation === 'local' ? 'check public id, private id and AES key' : 'its servers do not know it';
  return new SallyportError('wrong-code', `not an OTP of this key; ${what}`);
}

/** @throws SallyportError `bad-secret` */
export function refuseSameCredential(
  factor: { readonly credentialId: string },
  kept: readonly FactorRecord[],
): void {
  const same = kept.find((other) => credentialOf(other)?.credentialId === factor.credentialId);
  if (same === undefined) return;
  throw new SallyportError(
    'bad-secret',
    `the factor "${same.name}" of this account is this very credential; remove it first`,
  );
}
