import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAdmin } from '../../daemon/admin/admin.ts';
import type { PresenceCountLimits } from '../../daemon/admin/presence-count.ts';
import type { TokenCheck } from '../../daemon/api/access.ts';
import { type Approvals, createApprovals } from '../../daemon/authenticators/approvals.ts';
import { createAssertions } from '../../daemon/authenticators/assertions.ts';
import { createKeyRequests } from '../../daemon/authenticators/key-requests.ts';
import { createValidations } from '../../daemon/authenticators/validations.ts';
import { createApprovalsApi } from '../../daemon/ceremonies/approvals-api.ts';
import { createBrowserKeys } from '../../daemon/ceremonies/browser-enrolment.ts';
import { type CeremonyLimits, createCeremonies } from '../../daemon/ceremonies/ceremonies.ts';
import type { Config } from '../../daemon/config/contract.ts';
import type { Configuration } from '../../daemon/config/in-force.ts';
import { parseConfig } from '../../daemon/config/load.ts';
import { type ControlLimits, type ControlServer, createControlServer } from '../../daemon/control/server.ts';
import { createImportExport } from '../../daemon/enrolment/import-export.ts';
import type {
  AccountLookup,
  Accounts,
  HostFacts,
  PasswordHelper,
  PasswordQuestion,
  PasswordVerdict,
} from '../../daemon/host/contract.ts';
import { SallyportError } from '../../daemon/lib/errors.ts';
import { createLog } from '../../daemon/lib/log.ts';
import { createLogAggregator } from '../../daemon/lib/log-aggregator.ts';
import { systemRandomness } from '../../daemon/lib/randomness.ts';
import { limits } from '../../daemon/limits.ts';
import { createVerifier } from '../../daemon/runtime/verifier.ts';
import { createTokens, type Tokens } from '../../daemon/sign-in/access-tokens.ts';
import { createPacedChecks } from '../../daemon/sign-in/paced-checks.ts';
import { createLinks } from '../../daemon/sign-in/sign-in-links.ts';
import { createSignIns, type SignIns } from '../../daemon/sign-in/sign-ins.ts';
import type { Store } from '../../daemon/store/contract.ts';
import { AuditedStore } from '../../daemon/verifier/audited-store.ts';
import { createRateLimiter } from '../../daemon/verifier/rate-limiter.ts';
import type { Verifier } from '../../daemon/verifier/verifier.ts';
import { ProbedStore } from './control-store.ts';
import { FakeKeys } from './fake-keys.ts';
import { hostWith } from './host.ts';
import { keyedHash } from './verifier-rig.ts';
import { otp } from './yubikey.ts';

/** The one that the validation servers of the rig take. */
export const validOtp = otp({ use: 1, session: 1 });

/** Uids without an account: callers are real processes that run as them. */
export const uids = {
  root: 0,
  alice: 61_001,
  bob: 61_002,
  carol: 61_003,
  portal: 61_009,
  notify: 61_008,
} as const;
export const adminGroup = 'sallyport-admin';

const sampleConfig = `
[[realm]]
name = "staff"
members = { users = ["alice"] }
require = ["totp"]
lockout = { max_code_failures = 4, max_failures = 10, duration = "1h" }
  [[realm.rule]]
  services = ["cron"]
  action = "skip"

[[realm]]
name = "everyone"
require = "none"
`;

export interface RigOptions {
  readonly config?: string;
  readonly limits?: Partial<ControlLimits & CeremonyLimits>;
  readonly rootUids?: ReadonlySet<number>;
  readonly tokens?: TokenCheck;
  /** Replaces a store in memory that can be inspected, and the table of names. */
  readonly store?: Store;
  readonly accounts?: Accounts;
  readonly presenceCount?: PresenceCountLimits;
}

/** The control server on a real socket, over a plain store, with accounts that need no NSS. */
export interface ControlRig {
  readonly directory: string;
  readonly socket: string;
  readonly configFile: string;
  readonly store: ProbedStore;
  readonly names: FakeNames;
  /** The keys that are plugged in. */
  readonly keys: FakeKeys;
  readonly server: ControlServer;
  /** What was logged. */
  readonly logged: string[];
  /** Milliseconds by which the clock on the wall, and the one that is never set, are ahead. */
  readonly clock: { ahead: number; mono: number };
  readonly passwords: FakePasswords;
  readonly tokens: Tokens;
  readonly signIns: SignIns;
  readonly approvals: Approvals;
  readonly verifier: Verifier;
  /** The machine of its callers. */
  readonly host: HostFacts;
  /** The text that the next reload finds. */
  setConfig(text: string): void;
  close(): Promise<void>;
}

export async function startControl(options: RigOptions = {}): Promise<ControlRig> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-control-'));
  chmodSync(directory, 0o755);
  mkdirSync(join(directory, 'etc'));
  mkdirSync(join(directory, 'run'));
  const socket = join(directory, 'run/control.sock');
  const configFile = join(directory, 'etc/sallyport.toml');
  writeFileSync(configFile, options.config ?? sampleConfig);

  const probed = new ProbedStore();
  const store = options.store ?? probed;
  const names = new FakeNames();
  const accounts = options.accounts ?? names;
  const logged: string[] = [];
  const log = createLog((line) => logged.push(line), false);
  const clock = { ahead: 0, mono: 0 };
  const now = () => Date.now() + clock.ahead;
  const monotonic = () => performance.now() + clock.mono;
  const passwords = new FakePasswords();
  const configuration = fakeConfiguration(options.config ?? sampleConfig, configFile, now);
  const keys = new FakeKeys();
  const host = hostWith({ accounts, securityKeys: keys, passwords });
  const keyRequests = createKeyRequests(systemRandomness);
  const assertions = createAssertions(log);
  const approvals = createApprovals({
    assertions,
    randomness: systemRandomness,
    clock: { now, monotonic },
    origins: () => configuration.current().portal?.origins ?? [],
  });
  const verifier = createVerifier({
    store,
    accounts,
    config: configuration.current,
    keyedHash,
    assertions,
    keyRequests,
    approvals,
    validations: createValidations(async (_, otp) => (otp === validOtp ? 'valid' : 'wrong')),
    randomness: systemRandomness,
    clock: { now, monotonic },
    rateLimiter: createRateLimiter({
      hash: (text) => text,
      monotonic: () => performance.now(),
      entries: 10,
      name: limits.unverifiedPerName,
      source: limits.unverifiedPerSource,
    }),
    unknownNames: createLogAggregator(log, 'unknown-names', 1_000),
    rateLimited: createLogAggregator(log, 'rate-limited', 1_000),
    log,
  });
  const signed = {
    accounts,
    randomness: systemRandomness,
    clock: { now, monotonic },
  };
  const portalUid = async () => uids.portal;
  const rootUids = options.rootUids ?? new Set([0]);
  const adminGroup = () => configuration.current().adminGroup;
  const made = createTokens({ ...signed, adminGroup, rootUids, portalUid });
  const tokens = options.tokens === undefined ? made : { ...made, ...options.tokens };
  const signIns = createSignIns({
    ...signed,
    configuration,
    store,
    auditedStore: new AuditedStore(store, log),
    verifier,
    host,
    tokens,
    links: createLinks(signed),
    rateLimiter: createRateLimiter({
      hash: (text) => text,
      monotonic,
      entries: 100,
      name: limits.unverifiedPerName,
      source: limits.unverifiedPerSource,
    }),
    // Slots have tests of their own; here none is waited for.
    checks: createPacedChecks({ monotonic, sleep: async () => undefined }),
  });
  const limited = { ...limits, ...options.limits };
  const server = createControlServer({
    admin: createAdmin({
      store,
      accounts,
      configuration,
      now,
      bootId: 'boot',
      version: '9.9.9',
      started: now(),
      ...(options.presenceCount === undefined ? {} : { presenceCount: options.presenceCount }),
    }),
    verifier,
    ceremonies: createCeremonies({
      verifier,
      keyRequests,
      host,
      randomness: systemRandomness,
      limits: limited,
    }),
    log,
    accounts,
    tokens,
    signIns,
    browserKeys: createBrowserKeys({ ...signed, verifier, configuration }),
    moving: createImportExport({
      ...signed,
      store,
      config: configuration.current,
      keyedHash,
      auditedStore: new AuditedStore(store, log),
      log,
    }),
    metrics: { text: async () => '{}' },
    approvals: createApprovalsApi(approvals, {
      rpId: () => configuration.current().webauthn?.rpId ?? '',
      machine: host.name,
    }),
    adminGroup,
    rootUids,
    portalUid,
    notifyUid: async () => uids.notify,
    limits: limited,
  });
  await server.listen({ path: socket });

  return {
    directory,
    socket,
    configFile,
    store: probed,
    names,
    keys,
    server,
    logged,
    clock,
    passwords,
    tokens,
    signIns,
    approvals,
    verifier,
    host,
    setConfig: configuration.setText,
    async close() {
      await server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** PAM as a rule: the password is "password of NAME". */
export class FakePasswords implements PasswordHelper {
  /** Whom it was asked about, and where from. */
  readonly asked: (readonly [user: string, source: string | undefined])[] = [];
  /** Said in place of that. */
  verdict: PasswordVerdict | undefined;
  /** Checks that run now, and the most there ever were at once. */
  open = 0;
  most = 0;
  /** Accounts that are known to have no password. */
  readonly without = new Set<string>();

  async lacksPassword(user: string): Promise<boolean> {
    return this.without.has(user);
  }

  async check({ user, password, source }: PasswordQuestion): Promise<PasswordVerdict> {
    this.asked.push([user, source]);
    const isRight = password.toString() === `password of ${user}`;
    password.fill(0);
    this.open += 1;
    this.most = Math.max(this.most, this.open);
    await new Promise((resolve) => setImmediate(resolve));
    this.open -= 1;
    return this.verdict ?? (isRight ? 'right' : 'wrong');
  }
}

/** NSS as a table. `ALICE` is another way to write alice. */
export class FakeNames implements Accounts {
  readonly people = new Map<string, number>([
    ['root', 0],
    ['alice', uids.alice],
    ['bob', uids.bob],
    ['carol', uids.carol],
    ['portal', uids.portal],
  ]);
  admins = new Set(['bob', 'portal']);
  away = false;
  /** Groups that do not resolve. */
  readonly lost = new Set<string>();
  /** Milliseconds that each question takes. */
  slow = 0;
  /** Questions that are being asked now, and the most there ever were at once. */
  open = 0;
  most = 0;

  async byName(name: string, groups: readonly string[]): Promise<AccountLookup> {
    return this.#answer(name.toLowerCase(), groups);
  }

  async byUid(uid: number, groups: readonly string[]): Promise<AccountLookup> {
    const found = [...this.people].find(([, candidate]) => candidate === uid);
    return this.#answer(found?.[0] ?? '', groups);
  }

  async #answer(name: string, groups: readonly string[]): Promise<AccountLookup> {
    this.open += 1;
    this.most = Math.max(this.most, this.open);
    await new Promise((resolve) => setTimeout(resolve, this.slow));
    this.open -= 1;
    if (this.away) return { status: 'unavailable', why: 'it is away' };
    const uid = this.people.get(name);
    if (uid === undefined) return { status: 'absent' };
    const membership = (group: string) =>
      this.lost.has(group)
        ? ('unresolved' as const)
        : group === adminGroup && this.admins.has(name)
          ? ('member' as const)
          : ('not-member' as const);
    return {
      status: 'found',
      account: { name, uid, gid: uid },
      groups: new Map(groups.map((group) => [group, membership(group)])),
    };
  }
}

function fakeConfiguration(
  text: string,
  file: string,
  now: () => number,
): Configuration & { setText(text: string): void } {
  let next = text;
  const read = (): Config => {
    const parsed = parseConfig(next, file, 'host');
    if (parsed.ok) return parsed.config;
    throw new SallyportError('config-invalid', `${file}: ${parsed.problems.length} problems`);
  };
  let current = read();
  let problem: string | undefined;
  let loaded = now();
  return {
    current: () => current,
    loaded: () => loaded,
    problem: () => problem,
    keep: () => undefined,
    reload() {
      try {
        current = read();
        problem = undefined;
        loaded = now();
        return current;
      } catch (error) {
        problem = String(error);
        throw error;
      }
    },
    setText(given) {
      next = given;
    },
  };
}
