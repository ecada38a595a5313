import { questionFor, securityKeysOf } from '../authenticators/key-requests.ts';
import {
  type CreationOptions,
  keyAlgorithms,
  type NewCredential,
  verifyRegistration,
} from '../authenticators/registrations.ts';
import type { Realm } from '../config/contract.ts';
import { answerFormatOf } from '../factors/answer-format.ts';
import type { FactorContext } from '../factors/contract.ts';
import { type FactorRecord, summaryOf } from '../factors/kinds.ts';
import { legacyCredential } from '../factors/u2f.ts';
import { publicIdOf } from '../factors/yubikey-otp.ts';
import { Outside, settled } from '../lib/account-mutex.ts';
import { SallyportError } from '../lib/errors.ts';
import { type Owner, ownRecord } from '../store/sealed/record-owner.ts';
import { contextOf } from '../verifier/answer-context.ts';
import { retryOnConflict } from '../verifier/audited-store.ts';
import type { EnrolRequest, EnrolResult, Verifier } from '../verifier/contract.ts';
import { otpForServers } from '../verifier/evaluate-answer.ts';
import { changeEvent } from '../verifier/events.ts';
import { accountOf, type CodeVerificationOptions } from '../verifier/verify-code.ts';
import { markOf, marksIn } from '../verifier/yubikey-counters.ts';
import {
  enrolled,
  type Found,
  hasCode,
  refuseKind,
  refuseOneMore,
  refuseSameCredential,
  yubikeyOf,
} from './enrolment.ts';
import { unusableReason } from './ssh-enrolment.ts';

type Adding = Pick<Verifier, 'enrol' | 'creationOptions' | 'legacyQuestion'>;

/**
 * Adds factors: prepares a new one, and commits it.
 *
 * Invariant: the code that verifies a new factor is evaluated as in a login, and consumed in the commit that adds
 * the factor.
 */
export function createFactorEnrolment(options: CodeVerificationOptions): Adding {
  return {
    async enrol(request) {
      try {
        const { owner, realm } = await accountOf(options, request.user);
        refuseKind(request, realm);
        const credential = await credentialIn(request, options, realm);
        return await settled(
          () => retryOnConflict(() => tryEnrol(options, request, owner, realm, credential)),
          (work) => options.accountMutex(owner.name, work),
        );
      } finally {
        request.code?.fill(0);
        if ('secret' in request) request.secret.fill(0);
        if ('privateId' in request) request.privateId.fill(0);
      }
    },
    creationOptions: (user) => creationOptions(options, user),
    async legacyQuestion(user, credential) {
      const { owner, realm } = await accountOf(options, user);
      const factors = await factorsBefore(options, owner, { kind: 'u2f' }, realm);
      const factor = { ...provisional, ...legacyCredential(credential) };
      refuseSameCredential(factor, factors);
      const question = questionFor(securityKeysOf([factor]), realm.webauthn.userVerification);
      if (question === undefined)
        throw new SallyportError('internal', 'internal error: no credential request; please report this');
      return question;
    },
  };
}

const provisional = { id: '', name: '', created: 0, enabled: true } as const;

async function creationOptions(options: CodeVerificationOptions, user: string): Promise<CreationOptions> {
  const { owner, realm } = await accountOf(options, user);
  const account = owner.name;
  const { webauthn } = options.config();
  if (webauthn === undefined) throw noRelyingParty(options.config().file);
  const factors = await factorsBefore(options, owner, { kind: 'webauthn' }, realm);
  const { keyedHash } = options;
  return {
    account,
    rp: webauthn,
    // Keyed, so that the handle in a found key does not reveal its account.
    userId: keyedHash.of(keyedHash.keyId, Buffer.from('webauthn user'), `${webauthn.rpId}\0${account}`),
    exclude: securityKeysOf(factors).map(({ credentialId }) => credentialId),
    algorithms: keyAlgorithms,
    residentKey: realm.webauthn.residentKey,
    userVerification: realm.webauthn.userVerification,
    attested: realm.webauthn.models !== undefined,
  };
}

/** The account's factors, if it may have another of that kind: verified before the user is asked to touch a key. */
async function factorsBefore(
  { store, clock }: CodeVerificationOptions,
  owner: Owner,
  request: Parameters<typeof refuseKind>[0],
  realm: Realm,
): Promise<readonly FactorRecord[]> {
  refuseKind(request, realm);
  const { factors } = ownRecord((await store.account(owner.name)).value, owner, clock.now());
  refuseOneMore(factors);
  return factors;
}

async function credentialIn(
  request: EnrolRequest,
  options: CodeVerificationOptions,
  realm: Realm,
): Promise<NewCredential | undefined> {
  if (request.kind !== 'webauthn') return undefined;
  const { webauthn, file } = options.config();
  // The configuration may have changed since the key was asked.
  if (webauthn?.rpId !== request.registration.rpId) throw noRelyingParty(file);
  return verifyRegistration(request.registration, realm.webauthn);
}

function noRelyingParty(file: string): SallyportError {
  return new SallyportError(
    'no-relying-party',
    `security keys are made for a relying party, and ${file} names none. Choose a domain that the portal and all your hosts can share (login.example.org: pages of that domain and below it can use the keys; no address, no host's own name), since changing it later voids every key. Then write [webauthn] rp_id = "login.example.org" there, above the first [[realm]], and run: sallyport reload`,
  );
}

/** @returns undefined if another commit came first; decide again */
async function tryEnrol(
  options: CodeVerificationOptions,
  request: EnrolRequest,
  owner: Owner,
  realm: Realm,
  credential: NewCredential | undefined,
): Promise<EnrolResult | Outside | undefined> {
  const now = options.clock.now();
  const account = owner.name;
  const { value, version } = await options.store.account(account);
  const record = ownRecord(value, owner, now);
  const foundOut = await findOut(options, request, account, realm);
  if (foundOut instanceof Outside) return foundOut;
  const { found, ...said } = foundOut;
  const context = { ...contextOf(realm, now, options.keyedHash), firstFactorVerified: true, ...said };
  const all: Found = { ...found, ...(credential === undefined ? {} : { credential }) };
  const made = enrolled(request, record, realm, context, options.randomness, all);
  const until = made.factor.kind === 'bypass' ? { until: made.factor.until } : {};
  const event = {
    ...changeEvent('factor-added', {
      outcome: 'done',
      reason: reasonOf(request),
      account,
      at: now,
      actor: request.actor,
      realm: realm.name,
      factor: made.factor,
    }),
    ...until,
  };
  const mark = markOf(made.factor, found.touched?.marks ?? new Map());
  const warning = unusableReason(request, realm, made.record, now);
  if (!(await options.auditedStore.change({ record, version }, made.record, event, mark))) return undefined;
  return {
    account,
    factor: summaryOf(made.factor),
    replaced: made.replaced.map(summaryOf),
    ...(made.recoveryKeys === undefined ? {} : { recoveryKeys: made.recoveryKeys }),
    ...(made.bypassCode === undefined ? {} : { bypassCode: made.bypassCode }),
    ...(warning === undefined ? {} : { warning }),
  };
}

/** What the audit records: whether a code verified the factor, or an administrator issued it. */
function reasonOf({ kind, verify }: EnrolRequest): string {
  if (kind === 'bypass') return 'issued';
  return verify && hasCode(kind) ? 'verified' : 'unverified';
}

interface FoundOut extends Pick<FactorContext, 'validated' | 'signed'> {
  readonly found: Found;
}

/**
 * Which YubiKey is to be added and its last-used counters; and what servers or a signature say of the verification.
 */
async function findOut(
  options: CodeVerificationOptions,
  request: EnrolRequest,
  account: string,
  realm: Realm,
): Promise<FoundOut | Outside> {
  const { assertions, validations } = options;
  if (request.kind === 'u2f' && request.assertion !== undefined) {
    const factor = { ...provisional, ...legacyCredential(request.credential) };
    const check = assertions.needed(request.assertion, [factor]);
    if (check !== undefined) return check;
    const { signed } = await assertions.of(request.assertion, [factor]);
    return { found: {}, ...(signed === undefined ? {} : { signed }) };
  }
  if (request.kind !== 'yubikey') return { found: {} };
  const answer = request.code ?? noAnswer;
  const shape = answerFormatOf(answer, new Set());
  const touchedId = shape.kind === 'yubikey' ? publicIdOf(shape.text) : '';
  const yubikey = yubikeyOf(request, touchedId);
  const factor = { ...provisional, ...yubikey };
  const question = { factors: [factor], codesLocked: false, answer, where: 'whole' } as const;
  const ask = validations.needed(
    realm.yubikey.servers,
    { answer, otp: otpForServers(question) },
    { account },
  );
  if (ask !== undefined) return ask;
  const validated = validations.said(answer);
  const marks = await marksIn(options.store, factor);
  return { found: { touched: { yubikey, marks } }, ...(validated === undefined ? {} : { validated }) };
}

const noAnswer = Buffer.alloc(0);
