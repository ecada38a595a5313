import type { Accounts } from './accounts.ts';
import type { AuditEvent } from './audit/event.ts';
import type { Config, Realm } from './config/contract.ts';
import { enrolled } from './enrolment.ts';
import { messageOf, SallyportError, unreachable } from './errors.ts';
import type { FactorContext, FactorRecord, Resync } from './factors/contract.ts';
import { factorFor } from './factors/registry.ts';
import { summaryOf } from './factors/summary.ts';
import { type Judgement, judge, mayBeAnAnswer } from './judge.ts';
import { limits } from './limits.ts';
import type { Log } from './log.ts';
import { changeEvent, loginEvent } from './login-event.ts';
import type { LoginFacts } from './policy/contract.ts';
import { type Decision, decide } from './policy/decide.ts';
import { giveGrant } from './policy/grants.ts';
import { afterVerified, afterWrong, delayFor, lockedNow } from './policy/lockout.ts';
import { selectRealm, wantedGroups } from './policy/realm.ts';
import { genericPrompt, promptFor, refusalText, successText } from './prompt.ts';
import type { Randomness } from './randomness.ts';
import { type AccountRecord, emptyRecord, type Store, type Versioned } from './store/contract.ts';
import { known, type Subject, subjectOf } from './subject.ts';
import type { Tally } from './tally.ts';
import type { Throttle } from './throttle.ts';
import { createTurns } from './turns.ts';
import type {
  EnrolRequest,
  EnrolResult,
  Opening,
  OpenLogin,
  Verdict,
  Verifier,
  VerifyRequest,
  VerifyResult,
} from './verifier-contract.ts';

export type * from './verifier-contract.ts';

export interface VerifierOptions {
  readonly store: Store;
  readonly accounts: Accounts;
  /** The configuration in force; it may change between two calls. */
  readonly config: () => Config;
  /** HMAC-SHA256 for recovery keys, under a key derived from the master key. */
  readonly keyedHash: FactorContext['keyedHash'];
  readonly randomness: Randomness;
  readonly clock: Clock;
  readonly throttle: Throttle;
  /** Names that are no accounts, and tries that the throttle turned away: one line now and then. */
  readonly unknownNames: Tally;
  readonly throttled: Tally;
  readonly log: Log;
}

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds from some start; it never steps. */
  monotonic(): number;
}

/** One account's records as they are now, and what policy makes of them. */
interface Assessment {
  readonly subject: Subject;
  readonly realm: Realm | undefined;
  readonly versioned: Versioned<AccountRecord>;
  readonly decision: Decision;
  readonly now: number;
}

/** What an answer is judged against, for logins and for `verify`. */
interface Asking {
  readonly record: AccountRecord;
  readonly version: number;
  readonly realm: Realm;
  readonly factors: readonly FactorRecord[];
  readonly codesLocked: boolean;
  readonly now: number;
}

/**
 * The heart. MUST hold (design, "What must hold", 1 to 3, 6 to 8, 10):
 * - an answer is judged against records read for it, and policy, lock and factor are decided again
 *   whenever the commit meets another one: what was decided at HELLO only chose the prompt;
 * - "accepted" is returned only after the one commit that spends the factor is durable;
 * - a commit that failed is never taken for "not spent": the error goes up and ends in SYSTEM_ERR;
 * - a login that is not proven learns nothing but yes or no, in the same time for every name;
 * - nothing is stored for a name that is no account.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  return new StoreVerifier(options);
}

class StoreVerifier implements Verifier {
  readonly #o: VerifierOptions;
  readonly #inTurn = createTurns();

  constructor(options: VerifierOptions) {
    this.#o = options;
  }

  async open(facts: LoginFacts): Promise<Opening> {
    if (!facts.proven) return { kind: 'ask', prompt: genericPrompt(facts.mode), login: { facts } };
    const subject = await subjectOf(facts, this.#o.config(), this.#o.accounts);
    if (subject === undefined) {
      this.#o.unknownNames.add(originOf(facts));
      return { kind: 'done', result: 'auth-err' };
    }
    const login = { facts, subject: { value: subject, at: this.#o.clock.monotonic() } };
    return this.#untilSettled<Opening>(async () => {
      const assessed = await this.#assess(facts, subject);
      const { decision } = assessed;
      if (decision.kind === 'ask') {
        const prompt = promptFor(decision.factors, facts.mode, decision.codesLocked);
        return {
          kind: 'ask',
          prompt,
          login,
          ...(decision.codesLocked ? { text: refusalText('codes-locked') } : {}),
        };
      }
      if (!(await this.#settle(assessed, facts))) return undefined;
      if (decision.kind === 'not-needed') return { kind: 'done', result: 'ignore' };
      return { kind: 'done', result: decision.result, text: decision.text };
    });
  }

  async answer(login: OpenLogin, answer: Buffer): Promise<Verdict> {
    const arrived = this.#o.clock.monotonic();
    try {
      if (login.facts.proven) return await this.#answerProven(login, answer);
      const verdict = await this.#answerUnproven(login, answer);
      return verdict.kind === 'accepted' ? verdict : this.#onTheBeat(verdict, arrived);
    } finally {
      answer.fill(0);
    }
  }

  async abandon(login: OpenLogin, reason: 'cancelled' | 'timed-out' | 'disconnected'): Promise<void> {
    if (!login.facts.proven || login.subject === undefined) return;
    const { value } = login.subject;
    await this.#record(
      loginEvent(value, login.facts, { outcome: 'abandoned', reason, at: this.#o.clock.now() }),
    );
  }

  async verify(request: VerifyRequest): Promise<VerifyResult> {
    try {
      const { account, realm } = await this.#accountOf(request.user);
      return await this.#inTurn(account, () =>
        this.#untilSettled(() => this.#tryVerify(request, account, realm)),
      );
    } finally {
      request.answer.fill(0);
      request.previous?.fill(0);
    }
  }

  async enrol(request: EnrolRequest): Promise<EnrolResult> {
    try {
      const { account, realm } = await this.#accountOf(request.user);
      return await this.#inTurn(account, () =>
        this.#untilSettled(() => this.#tryEnrol(request, account, realm)),
      );
    } finally {
      request.code?.fill(0);
      if ('secret' in request) request.secret.fill(0);
    }
  }

  // ---- one login -------------------------------------------------------------------------------

  async #answerProven(login: OpenLogin, answer: Buffer): Promise<Verdict> {
    const subject = await this.#subject(login);
    if (subject === undefined) return refused(login, { result: 'auth-err' });
    return this.#inTurn(turnOf(subject), () =>
      this.#untilSettled(() => this.#tryAnswer(login, subject, answer)),
    );
  }

  /** Every refusal looks the same, whatever the name is and whatever went wrong. */
  async #answerUnproven(
    login: OpenLogin,
    answer: Buffer,
  ): Promise<(Verdict & { kind: 'refused' }) | Accepted> {
    const { facts } = login;
    if (!mayBeAnAnswer(answer, facts.mode === 'prompt' ? 'whole' : 'tail'))
      return refused(login, { result: 'auth-err' });
    const wrong = refused(login, { result: 'auth-err', again: true });
    const name = facts.rootSocket ? facts.user : undefined;
    const origin = originOf(facts);
    if (!this.#o.throttle.allows(name, origin)) {
      this.#o.throttled.add(origin);
      return wrong;
    }
    try {
      const subject = await subjectOf(facts, this.#o.config(), this.#o.accounts);
      const verdict =
        subject === undefined ? this.#noAccount(origin) : await this.#answerOf(login, subject, answer);
      if (verdict?.kind === 'accepted') return verdict;
    } catch (error) {
      this.#report(error);
      return refused(login, { result: 'system-err' });
    }
    this.#o.throttle.failed(name, origin);
    return wrong;
  }

  #noAccount(origin: string): undefined {
    this.#o.unknownNames.add(origin);
    return undefined;
  }

  async #answerOf(login: OpenLogin, subject: Subject, answer: Buffer): Promise<Verdict | undefined> {
    const { facts } = login;
    if (!facts.rootSocket && subject.target.uid !== facts.peerUid) {
      const why = { outcome: 'refused', reason: 'other-account', at: this.#o.clock.now() } as const;
      await this.#record(loginEvent(subject, facts, why));
      return undefined;
    }
    return this.#inTurn(turnOf(subject), () =>
      this.#untilSettled(() => this.#tryAnswer(login, subject, answer)),
    );
  }

  /** @returns undefined: the commit met another one; decide again */
  async #tryAnswer(login: OpenLogin, subject: Subject, answer: Buffer): Promise<Verdict | undefined> {
    const { facts } = login;
    const assessed = await this.#assess(facts, subject);
    const { decision, versioned, realm } = assessed;
    switch (decision.kind) {
      case 'not-needed':
        return (await this.#settle(assessed, facts))
          ? { kind: 'accepted', result: 'ignore', strip: 0 }
          : undefined;
      case 'refused':
        if (!(await this.#settle(assessed, facts))) return undefined;
        return refused(login, { result: decision.result, text: decision.text });
      case 'ask': {
        if (versioned.value === undefined || realm === undefined)
          throw impossible('a login is asked without a record');
        const { factors, codesLocked } = decision;
        const asking = {
          record: versioned.value,
          version: versioned.version,
          realm,
          factors,
          codesLocked,
          now: assessed.now,
        };
        return this.#judgeLogin(login, assessed, asking, answer);
      }
      default:
        return unreachable(decision);
    }
  }

  async #judgeLogin(
    login: OpenLogin,
    assessed: Assessment,
    asking: Asking,
    answer: Buffer,
  ): Promise<Verdict | undefined> {
    const { facts } = login;
    const { subject, decision, now } = assessed;
    const judgement = this.#judge(asking, answer, facts.mode === 'prompt' ? 'whole' : 'tail', login.resync);
    const event = (outcome: 'success' | 'refused', reason: string, factor?: FactorRecord): AuditEvent =>
      loginEvent(subject, facts, { outcome, reason, at: now, realm: asking.realm.name, factor });
    switch (judgement.outcome) {
      case 'accepted': {
        const record = withLogin(spent(asking, judgement.factor), assessed, facts);
        const done = await this.#commit(asking, record, event('success', 'verified', judgement.factor));
        if (!done) return undefined;
        const text = facts.proven ? successText(judgement.factor) : undefined;
        const strip = facts.mode === 'prompt' ? 0 : judgement.length;
        return { kind: 'accepted', result: 'success', strip, ...(text === undefined ? {} : { text }) };
      }
      case 'no-shape':
        await this.#record(event('refused', 'no-shape'));
        return refused(login, { result: 'auth-err', text: refusalText('no-shape') });
      case 'codes-locked': {
        await this.#record(event('refused', 'codes-locked'));
        const again =
          decision.kind === 'ask' && decision.factors.some((factor) => factor.kind === 'recovery');
        return refused(login, { result: 'maxtries', again, text: refusalText('codes-locked') });
      }
      case 'refused':
        return this.#wrongAnswer(login, asking, judgement, event('refused', judgement.reason));
      default:
        return unreachable(judgement);
    }
  }

  /** Failures of proven logins count in the store; those of others in the throttle alone. */
  async #wrongAnswer(
    login: OpenLogin,
    asking: Asking,
    judgement: Judgement & { outcome: 'refused' },
    event: AuditEvent,
  ): Promise<Verdict | undefined> {
    const next = { facts: login.facts, ...(login.subject ? { subject: login.subject } : {}) };
    const after = judgement.resync === undefined ? next : { ...next, resync: judgement.resync };
    if (!login.facts.proven) {
      await this.#record(event);
      return refused(after, { result: 'auth-err', again: true });
    }
    const counted = counting(asking, judgement);
    if (!(await this.#commit(asking, counted, event))) return undefined;
    const locked = lockedNow(counted.lock, asking.realm.lockout, asking.now);
    const end =
      locked === 'all' || (locked === 'codes' && !asking.factors.some((f) => f.kind === 'recovery'));
    return refused(after, {
      result: end ? 'maxtries' : 'auth-err',
      again: !end,
      text: refusalText(locked === 'none' ? judgement.reason : locked === 'all' ? 'locked' : 'codes-locked'),
      delay: delayFor(counted.lock.any),
    });
  }

  /** Held back to the next beat, so that its time tells nothing. */
  #onTheBeat(verdict: Verdict & { kind: 'refused' }, arrived: number): Verdict {
    const taken = this.#o.clock.monotonic() - arrived;
    return { ...verdict, delay: limits.refusalBeat - (taken % limits.refusalBeat) };
  }

  /** The account as NSS says it; asked again when the answer was long in coming. */
  async #subject(login: OpenLogin): Promise<Subject | undefined> {
    const { subject, facts } = login;
    if (subject !== undefined && this.#o.clock.monotonic() - subject.at < limits.lookupAge)
      return subject.value;
    return subjectOf(facts, this.#o.config(), this.#o.accounts);
  }

  async #assess(facts: LoginFacts, subject: Subject): Promise<Assessment> {
    const config = this.#o.config();
    const now = this.#o.clock.now();
    const selected = selectRealm(config, subject.target, subject.groups);
    const realm = selected.kind === 'realm' ? selected.realm : undefined;
    const versioned = await this.#read(subject, facts);
    const state = forTarget(versioned.value ?? emptyRecord('', now), subject);
    const decision = decide({
      config,
      account: subject.target,
      groups: subject.groups,
      holderKnown: subject.holder !== undefined,
      state,
      facts,
      now,
    });
    return { subject, realm, versioned, decision, now };
  }

  async #read(subject: Subject, facts: LoginFacts): Promise<Versioned<AccountRecord>> {
    if (subject.holder === undefined) return { value: undefined, version: 0 };
    try {
      return await this.#o.store.account(subject.holder.name);
    } catch (error) {
      const reason = error instanceof SallyportError ? error.code : 'store';
      await this.#record(loginEvent(subject, facts, { outcome: 'error', reason, at: this.#o.clock.now() }));
      throw error;
    }
  }

  /**
   * Writes down a decision that took no factor, on condition that it still rests on fresh records.
   * @returns false: it does not
   */
  async #settle(assessed: Assessment, facts: LoginFacts): Promise<boolean> {
    const { decision, subject, versioned, now } = assessed;
    const outcome = decision.kind === 'not-needed' ? 'not-needed' : 'refused';
    const realm = assessed.realm?.name;
    const reason = decision.kind === 'ask' ? 'ask' : decision.why;
    const event = loginEvent(subject, facts, { outcome, reason, at: now, realm });
    const startsGrace = decision.kind === 'not-needed' && decision.startGrace === true;
    const holder = subject.holder?.name;
    if (startsGrace && holder !== undefined) {
      const record = versioned.value ?? emptyRecord(holder, now);
      return this.#commit({ record, version: versioned.version }, { ...record, graceStarted: now }, event);
    }
    const accounts = holder === undefined ? [] : [{ account: holder, version: versioned.version }];
    try {
      return (await this.#o.store.commit({ accounts, events: [event] })) === 'committed';
    } catch (error) {
      this.#onlyUnwritable(error, event);
      return true;
    }
  }

  // ---- verify and enrol ------------------------------------------------------------------------

  async #accountOf(user: string): Promise<{ account: string; realm: Realm }> {
    const config = this.#o.config();
    const found = known(await this.#o.accounts.byName(user, wantedGroups(config)));
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

  async #tryVerify(request: VerifyRequest, account: string, realm: Realm): Promise<VerifyResult | undefined> {
    const now = this.#o.clock.now();
    const { value, version } = await this.#o.store.account(account);
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
    const no = async (
      reason: 'locked' | 'no-factor' | 'no-shape' | 'codes-locked',
    ): Promise<VerifyResult> => {
      await this.#record(event('refused', reason));
      return { outcome: 'refused', reason, text: refusalText(reason), resync: false };
    };
    if (factors.length === 0) return no('no-factor');
    if (locked === 'all') return no('locked');
    const asking: Asking = { record, version, realm, factors, codesLocked: locked === 'codes', now };
    const before = request.previous && this.#judge(asking, request.previous, 'whole', undefined);
    const resync = before?.outcome === 'refused' ? before.resync : undefined;
    const judgement = this.#judge(asking, request.answer, 'whole', resync);
    switch (judgement.outcome) {
      case 'accepted': {
        const { factor } = judgement;
        if (!(await this.#commit(asking, spent(asking, factor), event('success', 'verified', factor))))
          return undefined;
        const text = successText(factor);
        return { outcome: 'accepted', factor: summaryOf(factor), ...(text === undefined ? {} : { text }) };
      }
      case 'no-shape':
      case 'codes-locked':
        return no(judgement.outcome);
      case 'refused': {
        const { reason } = judgement;
        if (!(await this.#commit(asking, counting(asking, judgement), event('refused', reason))))
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

  async #tryEnrol(request: EnrolRequest, account: string, realm: Realm): Promise<EnrolResult | undefined> {
    const now = this.#o.clock.now();
    const { value, version } = await this.#o.store.account(account);
    const record = value ?? emptyRecord(account, now);
    const made = enrolled(request, record, realm, this.#context(realm, now), this.#o.randomness);
    const event = changeEvent('enrol', {
      outcome: 'done',
      reason: request.verify ? 'verified' : 'unverified',
      account,
      at: now,
      actor: request.actor,
      realm: realm.name,
      factor: made.factor,
    });
    if (!(await this.#commit({ record, version }, made.record, event))) return undefined;
    return {
      account,
      factor: summaryOf(made.factor),
      replaced: made.replaced.map(summaryOf),
      ...(made.recoveryKeys === undefined ? {} : { recoveryKeys: made.recoveryKeys }),
    };
  }

  // ---- shared ----------------------------------------------------------------------------------

  #context(realm: Realm, now: number): FactorContext {
    return { now, skew: realm.totp.skew, keyedHash: this.#o.keyedHash };
  }

  #judge(asking: Asking, answer: Buffer, where: 'whole' | 'tail', resync: Resync | undefined): Judgement {
    const context = this.#context(asking.realm, asking.now);
    return judge({
      factors: asking.factors,
      answer,
      where,
      codesLocked: asking.codesLocked,
      context: resync === undefined ? context : { ...context, resync },
    });
  }

  /** @returns false: the record is not any more what the change rests on */
  async #commit(
    from: { record: AccountRecord; version: number },
    write: AccountRecord,
    event: AuditEvent,
  ): Promise<boolean> {
    const accounts = [{ account: from.record.account, version: from.version, write }];
    return (await this.#o.store.commit({ accounts, events: [event] })) === 'committed';
  }

  /** An event that no change depends on. */
  async #record(event: AuditEvent): Promise<void> {
    try {
      await this.#o.store.commit({ accounts: [], events: [event] });
    } catch (error) {
      this.#onlyUnwritable(error, event);
    }
  }

  /** What needs no commit passes while the store cannot be written; its event goes to the log alone. */
  #onlyUnwritable(error: unknown, event: AuditEvent): void {
    if (!(error instanceof SallyportError) || error.code !== 'store-unwritable') throw error;
    const { kind, outcome, reason, account, service, source } = event;
    this.#o.log.warning('not-stored', { kind, outcome, reason, account, service, source });
  }

  #report(error: unknown): void {
    const code = error instanceof SallyportError ? error.code : 'internal';
    this.#o.log.error('login-error', { code, message: messageOf(error) });
  }

  /** Decides again, from fresh records, as often as a commit meets another one. */
  async #untilSettled<T>(decideOnce: () => Promise<T | undefined>): Promise<T> {
    for (let tries = 0; tries < limits.commitTries; tries += 1) {
      const settled = await decideOnce();
      if (settled !== undefined) return settled;
    }
    throw new SallyportError('conflict', 'the account was changed again and again meanwhile; try once more');
  }
}

type Accepted = Verdict & { kind: 'accepted' };

interface Refusal {
  readonly result: (Verdict & { kind: 'refused' })['result'];
  readonly again?: boolean;
  readonly text?: string;
  readonly delay?: number;
}

function refused(login: OpenLogin, refusal: Refusal): Verdict & { kind: 'refused' } {
  const { result, again = false, text, delay = 0 } = refusal;
  return { kind: 'refused', result, again, delay, login, ...(text === undefined ? {} : { text }) };
}

function impossible(what: string): SallyportError {
  return new SallyportError('internal', `${what}; this is a defect of sallyportd, please report it`);
}

/** Where a try comes from, for the throttle and the tallies. */
function originOf(facts: LoginFacts): string {
  if (!facts.rootSocket) return `uid:${facts.peerUid}`;
  return facts.source ?? facts.rhost ?? 'local';
}

function turnOf(subject: Subject): string {
  return (subject.holder ?? subject.target).name;
}

/** A grant of su for one target is none for another. */
function forTarget(record: AccountRecord, subject: Subject): AccountRecord {
  const target = targetOfGrant(subject);
  return { ...record, grants: record.grants.filter((grant) => grant.target === target) };
}

function targetOfGrant(subject: Subject): string | undefined {
  return subject.holder?.name === subject.target.name ? undefined : subject.target.name;
}

/** The record once `factor` was accepted: its mark moved, the row of failures ended. */
function spent(asking: Asking, factor: FactorRecord): AccountRecord {
  const used = { ...factor, lastUsed: asking.now };
  return {
    ...asking.record,
    factors: asking.record.factors.map((old) => (old.id === used.id ? used : old)),
    lock: afterVerified(asking.record.lock, used.kind),
  };
}

function counting(asking: Asking, judgement: Judgement & { outcome: 'refused' }): AccountRecord {
  const lock = afterWrong(asking.record.lock, judgement.countsAsCode, asking.realm.lockout, asking.now);
  return { ...asking.record, lock };
}

function withLogin(record: AccountRecord, assessed: Assessment, facts: LoginFacts): AccountRecord {
  const { decision, subject, realm, now } = assessed;
  const source = facts.source ?? facts.rhost;
  const lastLogin = { at: now, service: facts.service, ...(source === undefined ? {} : { source }) };
  if (decision.kind !== 'ask' || !decision.remember || !facts.proven || realm === undefined)
    return { ...record, lastLogin };
  const target = targetOfGrant(subject);
  return {
    ...record,
    lastLogin,
    grants: giveGrant(record.grants, { realm: realm.name, facts, now, target }),
  };
}
