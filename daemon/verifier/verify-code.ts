import type { AuditEvent } from '../audit/event.ts';
import type { Realm } from '../config/contract.ts';
import type { FactorRecord } from '../factors/kinds.ts';
import { kindOf, sshKeyOf, summaryOf } from '../factors/kinds.ts';
import { type AccountMutex, Outside, settled } from '../lib/account-mutex.ts';
import { SallyportError, unreachable } from '../lib/errors.ts';
import { ownershipOf } from '../policy/identity.ts';
import { lockoutAt } from '../policy/lockout.ts';
import { referencedGroups, selectRealm } from '../policy/realm.ts';
import { usedUpNames } from '../policy/requirement.ts';
import { type Owner, recordOf } from '../store/sealed/record-owner.ts';
import {
  type AnswerContext,
  afterAcceptance,
  afterFailedAnswer,
  evaluateLoginAnswer,
  prepareAnswer,
} from './answer-context.ts';
import { known } from './assessment.ts';
import { type AuditedStore, retryOnConflict } from './audited-store.ts';
import type { Verifier, VerifierOptions, VerifyRequest, VerifyResult } from './contract.ts';
import type { Evaluation } from './evaluate-answer.ts';
import { changeEvent, withLock, withOffset } from './events.ts';
import { successText } from './prompt-texts.ts';
import { isUncounted } from './refusal-rules.ts';
import { type RefusalReason, refusalText, uncountedText, wrongText } from './refusal-texts.ts';
import { acceptedAnswer } from './replay.ts';
import { markOf } from './yubikey-counters.ts';

export interface CodeVerificationOptions extends VerifierOptions {
  readonly auditedStore: AuditedStore;
  readonly accountMutex: AccountMutex;
}

/**
 * `sallyport verify`.
 *
 * Invariant: a code is evaluated and consumed as in a login, by the same code and the same commit, and a wrong one
 * counts. Once the caller is gone no code is accepted, as in a login whose call has ended.
 */
export function createCodeVerification(options: CodeVerificationOptions): Pick<Verifier, 'verify'> {
  return {
    async verify(request, ended) {
      try {
        const { owner, realm } = await accountOf(options, request.user);
        return await settled(
          () => retryOnConflict(() => tryVerify(options, request, { owner, realm, ended })),
          (work) => options.accountMutex(owner.name, work),
        );
      } finally {
        request.answer.fill(0);
        request.previous?.fill(0);
      }
    },
  };
}

/** @throws SallyportError `no-such-account`, `accounts-unavailable` */
export async function accountOf(
  options: CodeVerificationOptions,
  user: string,
): Promise<{ owner: Owner; realm: Realm }> {
  const config = options.config();
  const found = known(await options.accounts.byName(user, referencedGroups(config)));
  if (found === undefined)
    throw new SallyportError('no-such-account', `account "${user}" not found; check: getent passwd ${user}`);
  const selected = selectRealm(config, found.account, found.groups);
  if (selected.kind === 'realm') return { owner: found.account, realm: selected.realm };
  throw new SallyportError(
    'accounts-unavailable',
    `cannot determine the realm: the group ${selected.group} does not resolve; check: getent group`,
  );
}

/** The answer, and before it the one that it follows in a row. */
function evaluateBoth(
  context: AnswerContext,
  { previous, answer }: VerifyRequest,
  keyedHash: CodeVerificationOptions['keyedHash'],
): Evaluation {
  const before = previous && evaluateLoginAnswer(context, previous, 'whole', keyedHash, undefined);
  const resync = before?.outcome === 'refused' ? before.resync : undefined;
  return evaluateLoginAnswer(context, answer, 'whole', keyedHash, resync);
}

type EventOf = (
  outcome: 'success' | 'refused' | 'abandoned',
  reason: string,
  factor?: FactorRecord,
) => AuditEvent;

/** @returns undefined if another commit came first; decide again */
async function consume(
  auditedStore: AuditedStore,
  context: AnswerContext,
  evaluation: Evaluation & { outcome: 'accepted' },
  event: EventOf,
): Promise<VerifyResult | undefined> {
  const { record, realm, now, tokens } = context;
  const { factor, format } = evaluation;
  const accepted = acceptedAnswer(format, record.account, factor, realm, now);
  const after = afterAcceptance(record, evaluation, accepted);
  if (
    !(await auditedStore.change(context, after, event('success', 'verified', factor), markOf(factor, tokens)))
  )
    return undefined;
  const text = successText(factor);
  return { outcome: 'accepted', factor: summaryOf(factor), ...(text === undefined ? {} : { text }) };
}

/** Whose code it is. */
interface Target {
  readonly owner: Owner;
  readonly realm: Realm;
  readonly ended: AbortSignal | undefined;
}

async function tryVerify(
  options: CodeVerificationOptions,
  request: VerifyRequest,
  { owner, realm, ended }: Target,
): Promise<VerifyResult | Outside | undefined> {
  const { auditedStore } = options;
  const account = owner.name;
  const now = options.clock.now();
  const { value, version } = await options.store.account(account);
  const record = recordOf(value, owner, now);
  const factors = record.factors.filter(
    (factor) => factor.enabled && sshKeyOf(factor) === undefined && kindOf(factor).usable(factor, now),
  );
  const locked = lockoutAt(record.lock, realm.lockout, now);
  const event: EventOf = (outcome, reason, factor) => {
    const { actor } = request;
    return changeEvent('verify', { outcome, reason, account, at: now, actor, realm: realm.name, factor });
  };
  const no = async (reason: RefusalReason, text = refusalText(reason)): Promise<VerifyResult> => {
    await auditedStore.note(event('refused', reason));
    return { outcome: 'refused', reason, text, resync: false };
  };
  if (ownershipOf(record, owner.uid, now) === 'another') return no('uid-changed');
  if (factors.length === 0)
    return no(usedUpNames(record.factors, now) === undefined ? 'no-factor' : 'used-up');
  if (locked === 'all') return no('locked');
  const codesLocked = locked === 'codes';
  const question = { factors, codesLocked, answer: request.answer, where: 'whole' } as const;
  const ready = await prepareAnswer(options, realm, question, {
    account,
    ...(ended === undefined ? {} : { ended }),
  });
  if (ready instanceof Outside) return ready;
  const asked = { record, version, realm, codesLocked, firstFactorVerified: true, now };
  const answerContext: AnswerContext = { ...asked, ...ready };
  const evaluation = evaluateBoth(answerContext, request, options.keyedHash);
  switch (evaluation.outcome) {
    case 'accepted': {
      if (ended?.aborted !== true) return consume(auditedStore, answerContext, evaluation, event);
      await auditedStore.note(event('abandoned', 'disconnected'));
      return { outcome: 'refused', reason: 'disconnected', text: 'The caller has gone.', resync: false };
    }
    case 'unknown-format':
    case 'codes-locked':
      return no(evaluation.outcome);
    case 'refused': {
      const { reason } = evaluation;
      if (isUncounted(evaluation)) return no(reason, uncountedText(evaluation, now));
      const after = afterFailedAnswer(answerContext, evaluation);
      const locking = withLock(withOffset(event('refused', reason), evaluation), record.lock, after.lock);
      if (!(await auditedStore.change(answerContext, after, locking))) return undefined;
      const resync = evaluation.resync !== undefined;
      return { outcome: 'refused', reason, text: wrongText(evaluation), resync };
    }
    default:
      return unreachable(evaluation);
  }
}
