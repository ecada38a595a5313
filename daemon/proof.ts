import type { Accounts } from './accounts.ts';
import { type Asking, contextOf, counted, judgeAnswer, spent } from './asking.ts';
import type { AuditEvent } from './audit/event.ts';
import type { Config, Realm } from './config/contract.ts';
import { enrolled } from './enrolment.ts';
import { SallyportError, unreachable } from './errors.ts';
import type { FactorContext, FactorRecord } from './factors/contract.ts';
import { factorFor } from './factors/registry.ts';
import { summaryOf } from './factors/summary.ts';
import { type Ledger, untilSettled } from './ledger.ts';
import { changeEvent } from './login-event.ts';
import { lockedNow } from './policy/lockout.ts';
import { selectRealm, wantedGroups } from './policy/realm.ts';
import { type RefusalReason, refusalText, successText } from './prompt.ts';
import type { Randomness } from './randomness.ts';
import { emptyRecord, type Store } from './store/contract.ts';
import { known } from './subject.ts';
import { markOf, withMarks } from './tokens.ts';
import type { InTurn } from './turns.ts';
import type {
  EnrolRequest,
  EnrolResult,
  Verifier,
  VerifyRequest,
  VerifyResult,
} from './verifier-contract.ts';

export interface ProofOptions {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly inTurn: InTurn;
  readonly accounts: Accounts;
  readonly config: () => Config;
  readonly keyedHash: FactorContext['keyedHash'];
  readonly randomness: Randomness;
  readonly now: () => number;
}

/**
 * The verifier's side for admins: `verify` and `enrol`.
 *
 * MUST hold: a code that is accepted here is spent as in a login, by the same judge and the same commit,
 * and a wrong one in `verify` counts as one.
 */
export function createProofs(options: ProofOptions): Pick<Verifier, 'verify' | 'enrol'> {
  return {
    async verify(request) {
      try {
        const { account, realm } = await accountOf(options, request.user);
        return await options.inTurn(account, () =>
          untilSettled(() => tryVerify(options, request, account, realm)),
        );
      } finally {
        request.answer.fill(0);
        request.previous?.fill(0);
      }
    },
    async enrol(request) {
      try {
        const { account, realm } = await accountOf(options, request.user);
        return await options.inTurn(account, () =>
          untilSettled(() => tryEnrol(options, request, account, realm)),
        );
      } finally {
        request.code?.fill(0);
        if ('secret' in request) request.secret.fill(0);
        if ('privateId' in request) request.privateId.fill(0);
      }
    },
  };
}

async function accountOf(options: ProofOptions, user: string): Promise<{ account: string; realm: Realm }> {
  const config = options.config();
  const found = known(await options.accounts.byName(user, wantedGroups(config)));
  if (found === undefined)
    throw new SallyportError(
      'no-such-account',
      'there is no such account; check the name with: getent passwd',
    );
  const selected = selectRealm(config, found.account, found.groups);
  if (selected.kind === 'realm') return { account: found.account.name, realm: selected.realm };
  throw new SallyportError(
    'accounts-unavailable',
    `the realm cannot be told: the group ${selected.group} does not resolve; check it with: getent group`,
  );
}

async function tryVerify(
  options: ProofOptions,
  request: VerifyRequest,
  account: string,
  realm: Realm,
): Promise<VerifyResult | undefined> {
  const { ledger, keyedHash } = options;
  const now = options.now();
  const { value, version } = await options.store.account(account);
  const record = value ?? emptyRecord(account, now);
  const factors = record.factors.filter((factor) => factor.enabled && factorFor(factor).usable(factor));
  const locked = lockedNow(record.lock, realm.lockout, now);
  const event = (outcome: 'success' | 'refused', reason: string, factor?: FactorRecord): AuditEvent =>
    changeEvent('verify', {
      outcome,
      reason,
      account,
      at: now,
      actor: request.actor,
      realm: realm.name,
      factor,
    });
  const no = async (reason: RefusalReason): Promise<VerifyResult> => {
    await ledger.note(event('refused', reason));
    return { outcome: 'refused', reason, text: refusalText(reason), resync: false };
  };
  if (factors.length === 0) return no('no-factor');
  if (locked === 'all') return no('locked');
  const marked = await withMarks(options.store, factors);
  const asking: Asking = { record, version, realm, ...marked, codesLocked: locked === 'codes', now };
  const before = request.previous && judgeAnswer(asking, request.previous, 'whole', keyedHash, undefined);
  const resync = before?.outcome === 'refused' ? before.resync : undefined;
  const judgement = judgeAnswer(asking, request.answer, 'whole', keyedHash, resync);
  switch (judgement.outcome) {
    case 'accepted': {
      const { factor } = judgement;
      const mark = markOf(factor, asking.tokens);
      if (!(await ledger.change(asking, spent(asking, factor), event('success', 'verified', factor), mark)))
        return undefined;
      const text = successText(factor);
      return { outcome: 'accepted', factor: summaryOf(factor), ...(text === undefined ? {} : { text }) };
    }
    case 'no-shape':
    case 'codes-locked':
      return no(judgement.outcome);
    case 'refused': {
      const { reason } = judgement;
      if (reason === 'clock') return no(reason);
      if (!(await ledger.change(asking, counted(asking, judgement), event('refused', reason))))
        return undefined;
      return {
        outcome: 'refused',
        reason,
        text: refusalText(reason),
        resync: judgement.resync !== undefined,
      };
    }
    default:
      return unreachable(judgement);
  }
}

async function tryEnrol(
  options: ProofOptions,
  request: EnrolRequest,
  account: string,
  realm: Realm,
): Promise<EnrolResult | undefined> {
  const now = options.now();
  const { value, version } = await options.store.account(account);
  const record = value ?? emptyRecord(account, now);
  const token = request.kind === 'yubikey' ? await options.store.token(request.publicId) : undefined;
  const context = contextOf(realm, now, options.keyedHash);
  const made = enrolled(request, record, realm, context, options.randomness, token?.value?.lastPress);
  const event = changeEvent('enrol', {
    outcome: 'done',
    reason: request.verify && request.kind !== 'recovery' ? 'verified' : 'unverified',
    account,
    at: now,
    actor: request.actor,
    realm: realm.name,
    factor: made.factor,
  });
  const tokens = new Map(request.kind === 'yubikey' ? [[request.publicId, token?.version ?? 0]] : []);
  const mark = markOf(made.factor, tokens);
  if (!(await options.ledger.change({ record, version }, made.record, event, mark))) return undefined;
  return {
    account,
    factor: summaryOf(made.factor),
    replaced: made.replaced.map(summaryOf),
    ...(made.recoveryKeys === undefined ? {} : { recoveryKeys: made.recoveryKeys }),
  };
}
