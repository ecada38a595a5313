import { type CredentialRequest, questionFor, securityKeysOf } from '../authenticators/key-requests.ts';
import { type CreationOptions, keyAlgorithms, verifyRegistration } from '../authenticators/registrations.ts';
import type { Realm } from '../config/contract.ts';
import type { Registered } from '../factors/answer.ts';
import type { FactorContext } from '../factors/contract.ts';
import { type FactorRecord, isIssued, kindOf, kinds, type NewFactor, summaryOf } from '../factors/kinds.ts';
import { Outside, settled } from '../lib/account-mutex.ts';
import { SallyportError } from '../lib/errors.ts';
import { lockoutAt } from '../policy/lockout.ts';
import { type Owner, ownRecord } from '../store/sealed/record-owner.ts';
import { contextOf } from '../verifier/answer-context.ts';
import { retryOnConflict } from '../verifier/audited-store.ts';
import type { EnrolRequest, EnrolResult, Verifier } from '../verifier/contract.ts';
import { otpForServers } from '../verifier/evaluate-answer.ts';
import { changeEvent } from '../verifier/events.ts';
import { accountOf, type CodeVerificationOptions } from '../verifier/verify-code.ts';
import type { YubikeyCounters } from '../verifier/yubikey-counters.ts';
import { markOf, marksIn, raised } from '../verifier/yubikey-counters.ts';
import { enrolled, hasCode, newFactor, refuseKind, refuseOneMore } from './enrolment.ts';

type Adding = Pick<Verifier, 'enrol' | 'creationOptions' | 'touchRequest'>;

/**
 * Adds factors: prepares a new one, and commits it.
 *
 * Invariant: the code that verifies a new factor is evaluated as in a login, and consumed in the commit that adds
 * the factor.
 */
export function createFactorEnrolment(options: CodeVerificationOptions): Adding {
  return {
    async enrol(request, ended) {
      try {
        const { owner, realm } = await accountOf(options, request.user);
        refuseKind(request, realm);
        const credential = await credentialIn(request, options, realm);
        return await settled(
          () => retryOnConflict(() => tryEnrol(options, request, { owner, realm, ended }, credential)),
          (work) => options.accountMutex(owner.name, work),
        );
      } finally {
        for (const value of Object.values(request)) if (Buffer.isBuffer(value)) value.fill(0);
      }
    },
    creationOptions: (user) => creationOptions(options, user),
    touchRequest: (user, asked) => touchRequest(options, user, asked),
  };
}

const provisional = { id: '', name: '', created: 0, enabled: true } as const;

async function touchRequest(
  options: CodeVerificationOptions,
  user: string,
  asked: NewFactor<'touch'>,
): Promise<CredentialRequest> {
  const { owner, realm } = await accountOf(options, user);
  const kept = await factorsBefore(options, owner, asked, realm);
  const { clock, keyedHash, randomness } = options;
  const tools = { now: clock.now(), keyedHash, randomness };
  const made = kindOf(asked).enrolling?.make(asked, provisional, kept, tools);
  const factors = made === undefined ? [] : [made.record];
  const request = questionFor(securityKeysOf(factors), realm.webauthn.userVerification);
  if (request === undefined)
    throw new SallyportError('internal', 'internal error: no credential request; please report this');
  return request;
}

async function creationOptions(options: CodeVerificationOptions, user: string): Promise<CreationOptions> {
  const { owner, realm } = await accountOf(options, user);
  const account = owner.name;
  const { webauthn } = options.config();
  if (webauthn === undefined) throw noRelyingParty(options.config().file);
  const factors = await factorsBefore(options, owner, kinds.webauthn, realm);
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
): Promise<Registered | undefined> {
  const { registration } = request;
  if (registration === undefined) return undefined;
  const { webauthn, file } = options.config();
  // The configuration may have changed since the key was asked.
  if (webauthn?.rpId !== registration.rpId) throw noRelyingParty(file);
  return verifyRegistration(registration, realm.webauthn);
}

function noRelyingParty(file: string): SallyportError {
  return new SallyportError(
    'no-relying-party',
    `security keys are made for a relying party, and ${file} names none. Choose a domain that the portal and all your hosts can share (login.example.org: pages of that domain and below it can use the keys; no address, no host's own name), since changing it later voids every key. Then write [webauthn] rp_id = "login.example.org" there, above the first [[realm]], and run: sallyport reload`,
  );
}

/** Whose factor it is to be. */
interface Target {
  readonly owner: Owner;
  readonly realm: Realm;
  readonly ended: AbortSignal | undefined;
}

/** @returns undefined if another commit came first; decide again */
async function tryEnrol(
  options: CodeVerificationOptions,
  request: EnrolRequest,
  target: Target,
  registered: Registered | undefined,
): Promise<EnrolResult | Outside | undefined> {
  const { owner, realm, ended } = target;
  const now = options.clock.now();
  const account = owner.name;
  const { value, version } = await options.store.account(account);
  const record = ownRecord(value, owner, now);
  const { keyedHash, randomness } = options;
  const tools = { now, keyedHash, randomness, ...(registered === undefined ? {} : { registered }) };
  const unverified = newFactor(request, record, realm, tools);
  const evidence = await evidenceFor(options, request, unverified.record, target);
  if (evidence instanceof Outside) return evidence;
  const { tokens, ...said } = evidence;
  const context = { ...contextOf(realm, now, keyedHash), firstFactorVerified: true, ...said };
  const underCounters = { ...unverified, record: raised(unverified.record, tokens) };
  const made = enrolled(request, record, realm, context, underCounters);
  const { until: ends } = summaryOf(made.factor);
  const until = ends === undefined ? {} : { until: ends };
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
  const mark = markOf(made.factor, tokens);
  const locked = lockoutAt(record.lock, realm.lockout, now);
  const warning = kindOf(request).enrolling?.unusable?.(realm, account, locked);
  if (ended?.aborted === true)
    throw new SallyportError('request-timeout', 'the caller has gone; no factor was added');
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
  if (isIssued({ kind })) return 'issued';
  return verify && hasCode(kind) ? 'verified' : 'unverified';
}

interface Evidence extends Pick<FactorContext, 'validated' | 'signed'> {
  readonly tokens: YubikeyCounters;
}

/** The counters that a new factor shares; and what servers or a signature say of the verification. */
async function evidenceFor(
  options: CodeVerificationOptions,
  request: EnrolRequest,
  factor: FactorRecord,
  { owner, realm, ended }: Target,
): Promise<Evidence | Outside> {
  const { assertions, validations } = options;
  if (request.assertion !== undefined) {
    const check = assertions.needed(request.assertion, [factor]);
    if (check !== undefined) return check;
    const { signed } = await assertions.of(request.assertion, [factor]);
    return { tokens: new Map(), ...(signed === undefined ? {} : { signed }) };
  }
  if (kindOf(factor).counters === undefined) return { tokens: new Map() };
  const answer = request.code ?? noAnswer;
  const question = { factors: [factor], codesLocked: false, answer, where: 'whole' } as const;
  const ask = validations.needed(
    realm.yubikey.servers,
    { answer, otp: otpForServers(question) },
    { account: owner.name, ...(ended === undefined ? {} : { ended }) },
  );
  if (ask !== undefined) return ask;
  const validated = validations.said(answer);
  const tokens = await marksIn(options.store, factor);
  return { tokens, ...(validated === undefined ? {} : { validated }) };
}

const noAnswer = Buffer.alloc(0);
