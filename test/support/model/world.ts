import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { pam } from '../login-rig.ts';
import {
  after,
  counted,
  evaluated,
  hotpCode,
  type Outcome,
  remembered,
  stepAt,
  totpCode,
} from './answers.ts';
import {
  type Account,
  accountOf,
  type Expected,
  expected,
  type Factor,
  isLeft,
  type Login,
  lockNow,
  own,
  type World,
} from './reference.ts';
import type { Result, System } from './system.ts';

/** What a person types. */
export type Typed =
  | 'totp'
  | 'hotp'
  | 'recovery'
  | 'bypass'
  | 'replay'
  | 'wrong'
  | 'wrong too'
  | 'wrong key'
  | 'junk';

export interface Model extends World {
  /** The text accepted last, of an account. */
  readonly lastAccepted: Map<string, string>;
  /** Every answer that was ever accepted, with its factor: none is a second time. */
  readonly accepted: Set<string>;
  /** Every factor there ever was, by its id. */
  readonly known: Map<string, Factor>;
  /** The login before. */
  last?: Login;
  /** What the last backup has of each account beside its factors. */
  backedUp: ReadonlyMap<string, Pick<Account, 'uid' | 'graceStarted'>>;
  /** Seeds are made of a count, so that every run is the same. */
  seeds: number;
}

export function newSeed(model: Model): Buffer {
  model.seeds += 1;
  return createHash('sha1').update(`seed ${model.seeds}`).digest();
}

export function textOf(model: Model, login: Login, typed: Typed): string {
  const account = accountOf(model, login.user);
  const of = <K extends Factor['kind']>(kind: K) =>
    account.factors.find((factor): factor is Factor & { kind: K } => factor.kind === kind);
  switch (typed) {
    case 'totp': {
      const factor = of('totp');
      return factor === undefined ? wrongCode(model, account) : totpCode(factor.seed, stepAt(model.now));
    }
    case 'hotp': {
      const factor = of('hotp');
      return factor === undefined ? wrongCode(model, account) : hotpCode(factor.seed, factor.counter);
    }
    case 'recovery': {
      const factor = of('recovery');
      return factor?.keys.find((key) => !factor.used.has(key)) ?? wrongCode(model, account);
    }
    case 'bypass':
      return of('bypass')?.code ?? '123456789';
    case 'replay':
      return model.lastAccepted.get(login.user) ?? wrongCode(model, account);
    case 'wrong':
      return wrongCode(model, account);
    case 'wrong too':
      return wrongCode(model, account, 500_009);
    case 'wrong key':
      return 'ggggg-ggggg-ggggg-ggggg';
    case 'junk':
      return 'correct horse battery staple';
  }
}

/** Six digits, far from every code of the account's that could be known for what it is. */
function wrongCode({ now }: World, { factors }: Account, first = 104_729): string {
  const near = new Set(
    factors.flatMap((factor) =>
      factor.kind === 'totp'
        ? Array.from({ length: 401 }, (_, index) => totpCode(factor.seed, stepAt(now) - 200 + index))
        : [],
    ),
  );
  for (let guess = first; ; guess = (guess + 7_919) % 1_000_000) {
    const code = String(guess).padStart(6, '0');
    if (!near.has(code)) return code;
  }
}

type Verdict = 'in' | 'out' | 'open';

/**
 * One login of the product and of the reference, side by side.
 * @throws AssertionError where they differ, or where the trail says something else
 */
export async function login(
  model: Model,
  system: System,
  given: Login,
  typed: readonly Typed[],
): Promise<void> {
  const before = system.lastEvent;
  const met = expected(model, given);
  model.last = given;
  if (met.kind !== 'ask') {
    const result = await system.login(given, [wrongCode(model, accountOf(model, given.user))]);
    withoutAnswer(model, given, met, result);
    await agreesWithTrail(system, before, given, result, met);
    return;
  }
  const account = accountOf(model, given.user);
  const texts: string[] = [];
  let verdict: Verdict = 'out';
  let settle: (isIn: boolean) => void = () => undefined;
  let isOpen = false;
  for (const each of typed) {
    const asked = expected(model, given);
    const text = textOf(model, given, each);
    if (asked.kind !== 'ask' || texts.includes(text)) break;
    texts.push(text);
    const first = evaluated(asked, text, model.now);
    // The answer accepted last may be known for what it is by one of several factors.
    const isLast = first.kind === 'wrong' && text === model.lastAccepted.get(given.user);
    const outcome: Outcome = isLast ? { ...first, counts: 'open' } : first;
    if (outcome.kind === 'wrong' && (outcome.counts === 'code' || outcome.counts === 'any')) {
      counted(account, outcome.counts, model.now);
      continue;
    }
    if (outcome.kind === 'wrong' && outcome.counts === 'no') continue;
    isOpen = outcome.kind === 'open' || outcome.kind === 'wrong';
    if (outcome.kind === 'accepted' || outcome.kind === 'open') {
      verdict = outcome.kind === 'accepted' ? 'in' : 'open';
      settle = (isIn) => {
        if (!isIn) return;
        const once = `${outcome.factor.id} ${text}`;
        assert.ok(!model.accepted.has(once), `accepted twice: ${outcome.factor.kind} ${text}`);
        model.accepted.add(once);
        model.lastAccepted.set(given.user, text);
        after(account, outcome);
        remembered(account, asked, given, outcome.factor, model.now);
        isOpen = false;
      };
    }
    break;
  }
  const result = await system.login(given, texts);
  const isIn = result.code === pam.success;
  assert.notEqual(result.code, pam.ignore, `${given.user} was not asked`);
  if (verdict === 'in') assert.ok(isIn, `${given.user} is kept out with ${texts}: ${result.code}`);
  if (verdict === 'out') assert.ok(!isIn, `${given.user} is let in with ${texts}`);
  settle(isIn);
  if (isOpen) await adoptLock(model, system, given.user);
  await agreesWithTrail(system, before, given, result, met);
}

function withoutAnswer(
  model: Model,
  { user }: Login,
  met: Exclude<Expected, { kind: 'ask' }>,
  { code }: Result,
): void {
  const account = accountOf(model, user);
  switch (met.kind) {
    case 'unknown-account':
      assert.equal(code, pam.authErr, `${user} is no account`);
      return;
    case 'error':
      assert.equal(code, pam.systemErr, 'the directory gives no answer');
      return;
    case 'refused':
      assert.ok(
        code === pam.authErr || code === pam.maxtries || code === pam.permDenied,
        `${user} is to be refused (${met.why}): ${code}`,
      );
      // A clock that was set back: the lock begins again, and stays so.
      if (met.why === 'locked') account.lock = lockNow(account, model.now);
      return;
    case 'pass':
      assert.equal(code, pam.ignore, `${user} is to pass (${met.why})`);
      if (met.why === 'grace' && account.graceStarted === undefined) {
        account.graceStarted = model.now;
        own(model, user);
      }
      return;
  }
}

/** Every decision is one event, and what it says is what was done. */
async function agreesWithTrail(
  system: System,
  before: number,
  { user }: Login,
  { code, prompts }: Result,
  met: Expected,
): Promise<void> {
  const events = (await system.trail(before)).filter(
    ({ kind, account }) => kind === 'login' && account === user,
  );
  const outcomes = events.map(({ outcome }) => outcome);
  const said = `${user}: ${JSON.stringify(events)}`;
  if (met.kind === 'unknown-account' || met.kind === 'error') {
    assert.deepEqual(outcomes, [], said);
    return;
  }
  if (met.kind === 'pass') {
    assert.deepEqual(outcomes, [met.why === 'observed' ? 'observed' : 'not-needed'], said);
    return;
  }
  assert.ok(events.length >= Math.max(1, prompts > 0 ? 1 : 0), said);
  const successes = outcomes.filter((outcome) => outcome === 'success').length;
  assert.equal(successes, code === pam.success ? 1 : 0, said);
  assert.ok(
    outcomes.every((outcome) => ['success', 'refused', 'abandoned'].includes(outcome)),
    said,
  );
}

/** Counts and locks as the product shows them. */
export function lockOf(lock: Account['lock']): Account['lock'] {
  return {
    codes: lock.codes,
    any: lock.any,
    ...(lock.codesLockedAt === undefined ? {} : { codesLockedAt: lock.codesLockedAt }),
    ...(lock.lockedAt === undefined ? {} : { lockedAt: lock.lockedAt }),
  };
}

/** The counts as the product has them, where the reference leaves open whether one was counted. */
export async function adoptLock(model: Model, system: System, user: string): Promise<void> {
  if (!model.directoryAnswers || !model.directory.has(user)) return;
  const account = accountOf(model, user);
  const known = lockNow(account, model.now);
  const shown = await system.client.user(user);
  // One that has run its time is in the record until something is counted.
  const lock = lockNow({ ...account, lock: lockOf(shown.lock) }, model.now);
  assert.ok(
    lock.any === known.any || lock.any === known.any + 1,
    `${user}: ${JSON.stringify({ lock, known })}`,
  );
  account.lock = lock;
}

/** Several at once with one right answer: one of them is let in, and no more. */
export async function race(model: Model, system: System, given: Login, typed: Typed): Promise<void> {
  const met = expected(model, given);
  if (met.kind !== 'ask') return;
  const account = accountOf(model, given.user);
  const text = textOf(model, given, typed);
  const outcome = evaluated(met, text, model.now);
  if (outcome.kind !== 'accepted') return;
  const before = system.lastEvent;
  const results = await Promise.all(Array.from({ length: 4 }, () => system.login(given, [text])));
  const successes = results.filter(({ code }) => code === pam.success).length;
  const passed = results.filter(({ code }) => code === pam.ignore).length;
  assert.equal(successes, 1, `${given.user} is let in ${successes} times with one answer`);
  if (!met.remembers) assert.equal(passed, 0);
  const once = `${outcome.factor.id} ${text}`;
  assert.ok(!model.accepted.has(once), `accepted twice: ${text}`);
  model.accepted.add(once);
  model.lastAccepted.set(given.user, text);
  after(account, outcome);
  remembered(account, met, given, outcome.factor, model.now);
  const events = (await system.trail(before)).filter(({ outcome: said }) => said === 'success');
  assert.equal(events.length, 1);
  const { lock } = await system.client.user(given.user);
  assert.ok(lock.any <= 3 && lock.codes <= 3, JSON.stringify(lock));
  account.lock = lockOf(lock);
}

/** Factors that the product shows, as the reference knows them. */
export async function agreesOnFactors(model: Model, system: System, user: string): Promise<void> {
  if (!model.directoryAnswers || !model.directory.has(user)) return;
  const account = accountOf(model, user);
  if (account.uid !== undefined && account.uid !== model.directory.get(user)) return;
  const shown = await system.client.factors(user);
  const ours = account.factors.filter((factor) => isLeft(factor, model.now) || factor.kind === 'recovery');
  const there = shown.filter(({ kind, id }) => kind !== 'bypass' || ours.some((factor) => factor.id === id));
  assert.deepEqual(
    there.map(({ id, enabled }) => `${id} ${enabled}`).sort(),
    ours.map(({ id, enabled }) => `${id} ${enabled}`).sort(),
    user,
  );
}
