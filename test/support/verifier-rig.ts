import assert from 'node:assert/strict';
import { createHash, createHmac, randomInt } from 'node:crypto';
import type { StoredAuditEvent } from '../../daemon/audit/event.ts';
import { createAssertions } from '../../daemon/authenticators/assertions.ts';
import { type AskServers, createValidations } from '../../daemon/authenticators/validations.ts';
import type { Config, Realm, RelyingParty } from '../../daemon/config/contract.ts';
import type { RecoveryHash } from '../../daemon/factors/contract.ts';
import type { HotpRecord } from '../../daemon/factors/hotp.ts';
import type { FactorRecord } from '../../daemon/factors/kinds.ts';
import type { RecoveryRecord } from '../../daemon/factors/recovery.ts';
import { hashRecoveryKeys } from '../../daemon/factors/recovery.ts';
import type { TotpRecord } from '../../daemon/factors/totp.ts';
import type { Account, AccountLookup, Accounts, HostFacts, Membership } from '../../daemon/host/contract.ts';
import { createLog } from '../../daemon/lib/log.ts';
import { systemRandomness } from '../../daemon/lib/randomness.ts';
import { limits } from '../../daemon/limits.ts';
import type { LoginFacts } from '../../daemon/policy/contract.ts';
import { createVerifier } from '../../daemon/runtime/verifier.ts';
import type {
  AccountRecord,
  Commit,
  CommitOutcome,
  Store,
  Versioned,
  YubikeyCounterRecord,
} from '../../daemon/store/contract.ts';
import { createRateLimiter } from '../../daemon/verifier/rate-limiter.ts';
import type { Opening, OpenLogin, Verdict, Verifier } from '../../daemon/verifier/verifier.ts';
import { config, facts, now as noon, realm } from '../unit/policy/support.ts';
import { hotp, totp } from './codes.ts';
import { hostWith } from './host.ts';
import { MemoryStore } from './memory-store.ts';

/** A memory store that can be looked into, and with which something can happen between two of its steps. */
export class SpyStore extends MemoryStore {
  readonly commits: Commit[] = [];
  reads = 0;
  /** Every call takes a time of its own, so that two who work side by side do not keep step. */
  unsteady = false;
  /** Called once, before the next commit is looked at. */
  #before: (() => Promise<void>) | undefined;

  beforeNextCommit(happens: () => Promise<void>): void {
    this.#before = happens;
  }

  override async account(account: string): Promise<Versioned<AccountRecord>> {
    this.reads += 1;
    await this.#stagger();
    return super.account(account);
  }

  override async token(token: string): Promise<Versioned<YubikeyCounterRecord>> {
    await this.#stagger();
    return super.token(token);
  }

  override async commit(commit: Commit): Promise<CommitOutcome> {
    const happens = this.#before;
    this.#before = undefined;
    await happens?.();
    await this.#stagger();
    const outcome = await super.commit(commit);
    if (outcome === 'committed') this.commits.push(commit);
    return outcome;
  }

  async #stagger(): Promise<void> {
    const turns = this.unsteady ? randomInt(4) : 0;
    for (let each = 0; each < turns; each += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}

export class FakeAccounts implements Accounts {
  readonly #known = new Map<string, { account: Account; groups: Record<string, Membership> }>();
  readonly #aliases = new Map<string, string>();
  unavailable: string | undefined;
  asked = 0;

  add(name: string, uid: number, groups: Record<string, Membership> = {}): void {
    this.#known.set(name, { account: { name, uid, gid: uid }, groups });
  }

  remove(name: string): void {
    this.#known.delete(name);
  }

  /** NSS takes another spelling for this account. */
  alias(typed: string, name: string): void {
    this.#aliases.set(typed, name);
  }

  async byName(name: string, groups: readonly string[]): Promise<AccountLookup> {
    const canonical = this.#aliases.get(name) ?? name;
    return this.#lookup((account) => account.name === canonical, groups);
  }

  async byUid(uid: number, groups: readonly string[]): Promise<AccountLookup> {
    return this.#lookup((account) => account.uid === uid, groups);
  }

  async #lookup(fits: (account: Account) => boolean, groups: readonly string[]): Promise<AccountLookup> {
    this.asked += 1;
    await null;
    if (this.unavailable !== undefined) return { status: 'unavailable', why: this.unavailable };
    const found = [...this.#known.values()].find(({ account }) => fits(account));
    if (found === undefined) return { status: 'absent' };
    const asked = groups.map((name): [string, Membership] => [name, found.groups[name] ?? 'not-member']);
    return { status: 'found', account: found.account, groups: new Map(asked) };
  }
}

export class FakeClock {
  at = noon;
  mono = 50_000;

  readonly now = (): number => this.at;
  readonly monotonic = (): number => this.mono;

  pass(ms: number): void {
    this.at += ms;
    this.mono += ms;
  }
}

export const keyedHash: RecoveryHash = {
  keyId: 'k1',
  of: (keyId, salt, text) =>
    createHmac('sha256', `a key for tests, ${keyId}`).update(salt).update(text).digest(),
};

/** Logins are for the rig's host, unless a test names another. */
export interface RigVerifier extends Omit<Verifier, 'open'> {
  open(facts: LoginFacts, host?: HostFacts): Promise<Opening>;
}

/** What everything in a rig is made of; several verifiers may stand on one store. */
export interface Rig {
  readonly store: SpyStore;
  readonly accounts: FakeAccounts;
  readonly clock: FakeClock;
  readonly logged: { event: string; [field: string]: unknown }[];
  readonly unknownNames: string[];
  readonly rateLimited: string[];
  /** The validation servers, as a test wants them. */
  servers: AskServers;
  /** Whether a security key is plugged in. */
  plugged: boolean;
  /** [webauthn] of the configuration in force. */
  relyingParty: RelyingParty | undefined;
  readonly host: HostFacts;
  readonly verifier: RigVerifier;
  /** The configuration in force from now on. */
  setRealms(...realms: readonly Realm[]): void;
  /** @param over the rig's store, or what stands before it */
  anotherVerifier(over?: Store): RigVerifier;
}

export function makeRig(...realms: readonly Realm[]): Rig {
  const store = new SpyStore();
  const accounts = new FakeAccounts();
  accounts.add('alice', 1000);
  accounts.add('bob', 1001);
  const clock = new FakeClock();
  const logged: Rig['logged'] = [];
  const unknownNames: string[] = [];
  const rateLimited: string[] = [];
  let inForce: Config = realms.length === 0 ? config(realm()) : config(...realms);
  const rateLimiter = createRateLimiter({
    hash: (text) => createHash('sha256').update(text).digest('hex'),
    monotonic: clock.monotonic,
    entries: limits.unverifiedEntries,
    name: limits.unverifiedPerName,
    source: limits.unverifiedPerSource,
  });
  const host = hostWith({ accounts });
  const anotherVerifier = (over: Store = store): RigVerifier => {
    const made = createVerifier({
      store: over,
      accounts,
      config: () => (rig.relyingParty === undefined ? inForce : { ...inForce, webauthn: rig.relyingParty }),
      keyedHash,
      randomness: systemRandomness,
      clock,
      rateLimiter,
      validations: createValidations((...asked) => rig.servers(...asked)),
      assertions: createAssertions(createLog((line) => logged.push(JSON.parse(line)), false)),
      keyRequests: { isPlugged: async () => rig.plugged },
      approvals: { open: () => assert.fail('nobody is to approve this') },
      unknownNames: { add: (source) => unknownNames.push(source), flush: () => undefined },
      rateLimited: { add: (source) => rateLimited.push(source), flush: () => undefined },
      log: createLog((line) => logged.push(JSON.parse(line)), false),
    });
    return { ...made, open: (of, on = host) => made.open(of, on) };
  };
  const rig: Rig = {
    store,
    accounts,
    clock,
    logged,
    unknownNames,
    rateLimited,
    servers: async () => 'unavailable',
    plugged: false,
    relyingParty: undefined,
    host,
    verifier: anotherVerifier(),
    setRealms: (...next) => {
      inForce = config(...next);
    },
    anotherVerifier,
  };
  return rig;
}

export const seeds = {
  totp: Buffer.from('totp-seed-of-alice--'),
  hotp: Buffer.from('hotp-seed-of-alice--'),
};
export const recoveryKeys: readonly string[] = [
  'abcde-fghjk-mnpqr-stuvw',
  '22222-33333-44444-55555',
  'zzzzz-yyyyy-xxxxx-wwwww',
  'qqqqq-rrrrr-sssss-ttttt',
  '66666-77777-88888-99999',
];
export const wrongKey = 'ggggg-ggggg-ggggg-ggggg';

const base = { created: noon - 86_400_000, enabled: true };

export function totpFactor(changes: Partial<TotpRecord> = {}): TotpRecord {
  const secret = seeds.totp.toString('base64');
  const settings = { digits: 6, period: 30, algorithm: 'sha1', lastStep: -1, drift: 0 } as const;
  return { ...base, id: 't1', kind: 'totp', name: 'phone', secret, ...settings, ...changes };
}

export function hotpFactor(changes: Partial<HotpRecord> = {}): HotpRecord {
  const secret = seeds.hotp.toString('base64');
  return {
    ...base,
    id: 'h1',
    kind: 'hotp',
    name: 'token',
    secret,
    digits: 6,
    algorithm: 'sha1',
    counter: 0,
    ...changes,
  };
}

export function recoveryFactor(keys: readonly string[] = recoveryKeys): RecoveryRecord {
  return {
    ...base,
    id: 'r1',
    kind: 'recovery',
    name: 'paper',
    ...hashRecoveryKeys(keys, Buffer.alloc(16, 7), keyedHash),
  };
}

/** The code of seeds.totp at the rig's clock. */
export function codeNow(rig: Rig, step = 0): string {
  return totp(seeds.totp, { at: rig.clock.at, step });
}

export function press(counter: number): string {
  return hotp(seeds.hotp, counter);
}

const presses = Array.from({ length: 3_000 }, (_, counter) => press(counter));

/** Of the right shape, and far from every code of either seed. */
export function wrongCodes(rig: Rig, count: number): string[] {
  const right = new Set(presses);
  for (let step = -40; step <= 40; step += 1) right.add(codeNow(rig, step));
  const wrong: string[] = [];
  for (let guess = 104_729; wrong.length < count; guess = (guess + 7_919) % 1_000_000) {
    const code = String(guess).padStart(6, '0');
    if (!right.has(code)) wrong.push(code);
  }
  return wrong;
}

export function wrongCode(rig: Rig): string {
  return wrongCodes(rig, 1)[0] ?? '';
}

/** Writes an account as it is from now on, whatever it was. No event: nobody decided this. */
export async function put(
  rig: Rig,
  part: Partial<AccountRecord> & { readonly account?: string },
): Promise<void> {
  const account = part.account ?? 'alice';
  const { value, version } = await rig.store.account(account);
  const write: AccountRecord = {
    ...(value ?? { created: noon, factors: [], lock: { codes: 0, any: 0 }, grants: [] }),
    ...part,
    account,
  };
  assert.equal(await rig.store.commit({ accounts: [{ account, version, write }], events: [] }), 'committed');
}

export async function recordOf(rig: Rig, account = 'alice'): Promise<AccountRecord> {
  const { value } = await rig.store.account(account);
  assert.ok(value !== undefined, `${account} has no record`);
  return value;
}

export async function factorOf(rig: Rig, id: string, account = 'alice'): Promise<FactorRecord> {
  const factor = (await recordOf(rig, account)).factors.find((each) => each.id === id);
  assert.ok(factor !== undefined);
  return factor;
}

/** In the order in which they were committed. */
export async function eventsOf(rig: Rig): Promise<readonly StoredAuditEvent[]> {
  return rig.store.events({ limit: 10_000, forward: true });
}

/** Opens a login that is asked. */
export async function opened(
  rig: Rig,
  given: Partial<LoginFacts> = {},
  verifier = rig.verifier,
): Promise<OpenLogin> {
  const opening = await verifier.open(facts(given));
  assert.ok(opening.kind === 'ask', `not asked: ${JSON.stringify(opening)}`);
  return opening.login;
}

export async function answered(
  rig: Rig,
  login: OpenLogin,
  text: string | Buffer,
  verifier = rig.verifier,
): Promise<Verdict> {
  const answer = Buffer.from(text as string);
  try {
    return await verifier.answer(login, answer);
  } finally {
    assert.ok(
      answer.every((byte) => byte === 0),
      'an answer was not wiped',
    );
  }
}

/** One login with as many answers as are given; each goes on with the login that the last verdict gave back. */
export async function answers(
  rig: Rig,
  given: Partial<LoginFacts>,
  ...texts: readonly string[]
): Promise<readonly Verdict[]> {
  let login = await opened(rig, given);
  const verdicts: Verdict[] = [];
  for (const text of texts) {
    const verdict = await answered(rig, login, text);
    verdicts.push(verdict);
    if (verdict.kind === 'refused') login = verdict.login;
  }
  return verdicts;
}

export async function answer(rig: Rig, given: Partial<LoginFacts>, text: string): Promise<Verdict> {
  const [verdict] = await answers(rig, given, text);
  assert.ok(verdict !== undefined);
  return verdict;
}

export function isAccepted(verdict: Verdict): boolean {
  return verdict.kind === 'accepted' && verdict.result === 'success';
}

export function assertAccepted(verdict: Verdict): Verdict & { kind: 'accepted' } {
  assert.ok(verdict.kind === 'accepted' && verdict.result === 'success', JSON.stringify(verdict));
  return verdict;
}

export function assertRefused(verdict: Verdict): Verdict & { kind: 'refused' } {
  assert.ok(verdict.kind === 'refused', JSON.stringify(verdict));
  return verdict;
}

export const unverified: Partial<LoginFacts> = { firstFactorVerified: false };
