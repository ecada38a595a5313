import { type Asking, contextOf, counted, judgeAnswer, madeReady, spent } from './asking.ts';
import type { AuditEvent } from './audit/event.ts';
import type { Realm } from './config/contract.ts';
import { enrolled, hasCode, refuseKind, type Touched, yubikeyOf } from './enrolment.ts';
import { SallyportError, unreachable } from './errors.ts';
import type { FactorRecord, Validated } from './factors/contract.ts';
import { factorFor } from './factors/registry.ts';
import { shapeOf } from './factors/shape.ts';
import { summaryOf } from './factors/summary.ts';
import { publicIdOf } from './factors/yubikey.ts';
import { type Ledger, untilSettled } from './ledger.ts';
import { changeEvent } from './login-event.ts';
import { lockedNow } from './policy/lockout.ts';
import { selectRealm, wantedGroups } from './policy/realm.ts';
import { type RefusalReason, refusalText, successText } from './prompt.ts';
import { idleSshSk } from './ssh-enrolment.ts';
import { emptyRecord } from './store/contract.ts';
import { known } from './subject.ts';
import { markOf, marksIn } from './tokens.ts';
import type { InTurn } from './turns.ts';
import { countsNowhere } from './verdicts.ts';
import type {
  EnrolRequest,
  EnrolResult,
  Verifier,
  VerifierOptions,
  VerifyRequest,
  VerifyResult,
} from './verifier-contract.ts';

export interface ProofOptions extends VerifierOptions {
  readonly ledger: Ledger;
  readonly inTurn: InTurn;
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
  const now = options.clock.now();
  const { value, version } = await options.store.account(account);
  const record = value ?? emptyRecord(account, now);
  const factors = record.factors.filter(
    (factor) => factor.enabled && factor.kind !== 'ssh-sk' && factorFor(factor).usable(factor),
  );
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
  const codesLocked = locked === 'codes';
  const question = { factors, codesLocked, answer: request.answer, where: 'whole' } as const;
  const ready = await madeReady(options, realm, question);
  if (ready === undefined) return undefined;
  const asking: Asking = { record, version, realm, ...ready, codesLocked, now };
  const before = request.previous && judgeAnswer(asking, request.previous, 'whole', keyedHash, undefined);
  const resync = before?.outcome === 'refused' ? before.resync : undefined;
  const judgement = judgeAnswer(asking, request.answer, 'whole', keyedHash, resync);
  switch (judgement.outcome) {
    case 'accepted': {
      const { factor } = judgement;
      const mark = markOf(factor, asking.tokens);
      if (!(await ledger.change(asking, spent(record, factor), event('success', 'verified', factor), mark)))
        return undefined;
      const text = successText(factor);
      return { outcome: 'accepted', factor: summaryOf(factor), ...(text === undefined ? {} : { text }) };
    }
    case 'no-shape':
    case 'codes-locked':
      return no(judgement.outcome);
    case 'refused': {
      const { reason } = judgement;
      if (countsNowhere(judgement)) return no(reason);
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
  const now = options.clock.now();
  const { value, version } = await options.store.account(account);
  const record = value ?? emptyRecord(account, now);
  // Before anybody is asked; it is looked at again when the record is made.
  refuseKind(request, realm);
  const { waited, touched, ...said } = await touchOf(options, request, realm);
  if (waited) return undefined;
  const context = { ...contextOf(realm, now, options.keyedHash), ...said };
  const made = enrolled(request, record, realm, context, options.randomness, touched);
  const event = changeEvent('enrol', {
    outcome: 'done',
    reason: request.verify && hasCode(request.kind) ? 'verified' : 'unverified',
    account,
    at: now,
    actor: request.actor,
    realm: realm.name,
    factor: made.factor,
  });
  const mark = markOf(made.factor, touched?.marks ?? new Map());
  const warning = request.kind === 'ssh-sk' ? idleSshSk(realm) : undefined;
  if (!(await options.ledger.change({ record, version }, made.record, event, mark))) return undefined;
  return {
    account,
    factor: summaryOf(made.factor),
    replaced: made.replaced.map(summaryOf),
    ...(made.recoveryKeys === undefined ? {} : { recoveryKeys: made.recoveryKeys }),
    ...(warning === undefined ? {} : { warning }),
  };
}

/** Which YubiKey is to be added, what is spent of it, and what servers say of the touch that proves it. */
async function touchOf(
  { store, validations }: ProofOptions,
  request: EnrolRequest,
  realm: Realm,
): Promise<{ readonly touched?: Touched; readonly validated?: Validated; readonly waited: boolean }> {
  if (request.kind !== 'yubikey') return { waited: false };
  const answer = request.code ?? Buffer.alloc(0);
  const shape = shapeOf(answer, new Set());
  const touchedId = shape.kind === 'yubikey' ? publicIdOf(shape.text) : '';
  const yubikey = yubikeyOf(request, touchedId);
  const provisional = { id: '', name: '', created: 0, enabled: true, ...yubikey };
  const question = { factors: [provisional], codesLocked: false, answer, where: 'whole' } as const;
  const { waited, ...said } = await validations.of(realm.yubikey.servers, question);
  if (waited) return { waited };
  return { touched: { yubikey, marks: await marksIn(store, provisional) }, ...said, waited };
}
