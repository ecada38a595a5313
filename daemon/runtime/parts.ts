import { hostname } from 'node:os';
import { createAuditJournal } from '../audit/journal.ts';
import { createApprovals } from '../authenticators/approvals.ts';
import { createAssertions } from '../authenticators/assertions.ts';
import { createKeyRequests } from '../authenticators/key-requests.ts';
import { createAskServers } from '../authenticators/validation-servers.ts';
import { createValidations } from '../authenticators/validations.ts';
import type { Config } from '../config/contract.ts';
import { fidoEndpoint, passwordEndpoint } from '../config/defaults.ts';
import { loadConfiguration } from '../config/in-force.ts';
import type { Addon } from '../host/addon.ts';
import { createLocalHost } from '../host/local.ts';
import { descriptorLimit } from '../host/process.ts';
import { messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { createLogAggregator } from '../lib/log-aggregator.ts';
import { systemRandomness } from '../lib/randomness.ts';
import { limits } from '../limits.ts';
import { createLoginServer } from '../login/server.ts';
import { type Counts, createCounts } from '../metrics/counts.ts';
import { instrumentStore, measuredVerifier } from '../metrics/instrumented.ts';
import { loadKeyring } from '../sealing/keyring.ts';
import { openStore } from '../store/leveldb/open.ts';
import { boundedStore } from '../store/sealed/bounded-store.ts';
import { createRotation } from '../store/sealed/rotation.ts';
import type { TrailBounds } from '../store/sealed/trail-pruning.ts';
import { createRateLimiter } from '../verifier/rate-limiter.ts';
import { createManager } from './service-manager.ts';
import { createVerifier } from './verifier.ts';

/** The parts of sallyportd, each made of those before it. */

export const clock = { now: () => Date.now(), monotonic: () => performance.now() };

/** The dependencies of all parts: the active configuration, the master keys, the service manager. */
export type Base = ReturnType<typeof baseOf>;

export function baseOf(file: string, addon: Addon, log: Log) {
  const started = clock.now();
  const manager = createManager({ addon, log, environment: process.env, pid: process.pid });
  const credentials = process.env.CREDENTIALS_DIRECTORY;
  const { configuration, keyring } = loadConfiguration(
    { file, host: hostname(), now: clock.now, log },
    (path) => loadKeyring({ path, ...(credentials === undefined ? {} : { credentials }) }),
  );
  const { paths } = configuration.current();
  process.on('SIGHUP', () => {
    try {
      manager.reloading(configuration.reload);
    } catch {
      // It is in the log and in `status`; the last good one stays in force.
    }
  });
  const host = createLocalHost({
    lookup: addon.lookupAccount,
    local: addon.localAccount,
    fido: fidoEndpoint(paths),
    password: passwordEndpoint(paths),
    log,
  });
  return { file, addon, log, started, manager, configuration, keyring, paths, host };
}

function boundsOf({ keepEvents, keepBytes }: Config['audit']): TrailBounds {
  return { keep: keepEvents, keepBytes };
}

export type StorePart = Awaited<ReturnType<typeof storePart>>;

/** The store, with what follows its events and what runs beside it. */
export async function storePart({ addon, configuration, keyring, log, manager, paths }: Base) {
  const counts = createCounts();
  const opened = await manager.starting('Checking the store', () =>
    openStore({
      directory: paths.store,
      anchor: paths.anchor,
      keyring,
      locks: addon,
      bounds: () => boundsOf(configuration.current().audit),
      overShare: (party) => log.warning('audit-over-share', { party }),
    }),
  );
  const store = boundedStore(instrumentStore(opened, counts), {
    monotonic: clock.monotonic,
    notStored: ({ kind, outcome, reason, account, count }) =>
      log.warning('not-stored', { kind, outcome, reason, account, count }),
  });
  const journal = createAuditJournal(2, process.env.JOURNAL_STREAM !== undefined);
  store.follow(counts.note);
  store.follow(journal.note);
  const rotation = createRotation({ store: opened, keyring, resealOthers: configuration.keep, log });
  const pruning = pruningOf({ configuration, log }, store);
  return {
    counts,
    opened,
    store,
    rotation,
    start() {
      pruning.start();
      rotation.start();
    },
    async close() {
      await rotation.stop();
      pruning.reportHead();
      await store.close();
      await journal.close();
    },
  };
}

/** Keeps the trail within its age and size, and reports its head from time to time. */
function pruningOf({ configuration, log }: Pick<Base, 'configuration' | 'log'>, store: StorePart['store']) {
  // Kept elsewhere with the journal, it shows that nothing before it was changed: `audit verify --expect`.
  const reportHead = (): void => {
    const { events, trail } = store.health();
    if (trail?.head !== undefined) log.info('audit-head', { place: events.last, link: trail.head });
  };
  const prune = (): void => {
    const { audit } = configuration.current();
    store
      .pruneEvents({ before: clock.now() - audit.keepForMs, ...boundsOf(audit) })
      .catch((error: unknown) => log.warning('audit-not-pruned', { message: messageOf(error) }))
      .finally(reportHead);
  };
  const start = (): void => {
    prune();
    setInterval(prune, limits.pruneInterval).unref();
  };
  return { start, reportHead };
}

export type AuthenticatorsPart = ReturnType<typeof authenticatorsPart>;

/** What is asked outside of the process. */
export function authenticatorsPart({ configuration, log }: Base) {
  const keyRequests = createKeyRequests(systemRandomness);
  const assertions = createAssertions(log);
  const approvals = createApprovals({
    assertions,
    randomness: systemRandomness,
    clock,
    origins: () => configuration.current().portal?.origins ?? [],
  });
  return { keyRequests, assertions, approvals, validations: createValidations(createAskServers(log)) };
}

/** Rate limiters that know names only as keyed digests. */
export function rateLimiters({ keyring }: Pick<Base, 'keyring'>) {
  const nameHash = keyring.keyedHash('throttle');
  const salt = systemRandomness.bytes(16);
  return () =>
    createRateLimiter({
      hash: (text) => nameHash.of(nameHash.keyId, salt, text).toString('base64'),
      monotonic: clock.monotonic,
    });
}

/** What unverified parties do, counted and reported in few lines. */
function aggregates(log: Log, counts: Counts) {
  const aggregate = (event: string) => createLogAggregator(log, event, limits.unknownNamesInterval);
  return {
    unknownNames: counts.logAggregator('unknown-name', aggregate('unknown-names')),
    rateLimited: counts.logAggregator('rate-limited', aggregate('rate-limited')),
  };
}

export type VerifierPart = ReturnType<typeof verifierPart>;

/** The verifier, and the server of logins that asks it. */
export function verifierPart(
  { configuration, host, keyring, log }: Base,
  { counts, store }: StorePart,
  authenticators: AuthenticatorsPart,
  rateLimiter: ReturnType<typeof rateLimiters>,
) {
  const { keyRequests, approvals } = authenticators;
  const { unknownNames, rateLimited } = aggregates(log, counts);
  const inner = createVerifier({
    ...authenticators,
    store,
    accounts: host.accounts,
    config: configuration.current,
    keyedHash: keyring.keyedHash('recovery'),
    randomness: systemRandomness,
    clock,
    rateLimiter: rateLimiter(),
    unknownNames,
    rateLimited,
    log,
  });
  const verifier = measuredVerifier(inner, counts);
  const login = createLoginServer({
    descriptors: descriptorLimit(),
    verifier,
    keyRequests,
    approvals,
    log,
    host,
  });
  return {
    verifier,
    login,
    close() {
      unknownNames.flush();
      rateLimited.flush();
    },
  };
}
