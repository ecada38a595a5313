#!/usr/bin/env node
import { hostname } from 'node:os';
import { createAdmin } from './admin/admin.ts';
import { createAuditJournal } from './audit/journal.ts';
import { createApprovals } from './authenticators/approvals.ts';
import { createAssertions } from './authenticators/assertions.ts';
import { createKeyRequests } from './authenticators/key-requests.ts';
import { createAskServers } from './authenticators/validation-servers.ts';
import { createValidations } from './authenticators/validations.ts';
import { createApprovalsApi } from './ceremonies/approvals-api.ts';
import { createBrowserKeys } from './ceremonies/browser-enrolment.ts';
import { createCeremonies } from './ceremonies/ceremonies.ts';
import type { Config } from './config/contract.ts';
import {
  defaultConfigFile,
  fidoEndpoint,
  notifyUser,
  passwordEndpoint,
  rootedPaths,
} from './config/defaults.ts';
import { type ConfigurationOptions, loadConfiguration, rootOf } from './config/in-force.ts';
import { createControlServer } from './control/server.ts';
import { createMoving } from './enrolment/import-export.ts';
import { createAccounts, limitedAccounts } from './host/accounts.ts';
import { type Addon, loadAddon } from './host/addon.ts';
import { createFidoHelper } from './host/fido-helper.ts';
import { createPasswordHelper } from './host/password-helper.ts';
import { bootId, descriptorLimit } from './host/process.ts';
import { takeActivatedSockets } from './host/socket-activation.ts';
import { messageOf } from './lib/errors.ts';
import type { Log } from './lib/log.ts';
import { createLogAggregator } from './lib/log-aggregator.ts';
import { exits, forbidFetch, logToStderr, runProgram, version } from './lib/program.ts';
import { systemRandomness } from './lib/randomness.ts';
import { createSlots } from './lib/slots.ts';
import { limits } from './limits.ts';
import { factsOf } from './login/facts.ts';
import { createLoginServer } from './login/server.ts';
import { offlineWork, offlineWorkIn } from './maintenance/main.ts';
import { keysView } from './maintenance/master-keys.ts';
import { createCounts } from './metrics/counts.ts';
import { instrumentStore, measuredVerifier } from './metrics/instrumented.ts';
import { createMetrics } from './metrics/metrics.ts';
import { check, init } from './runtime/command-line.ts';
import { checkOf, createManager, statusLine } from './runtime/service-manager.ts';
import { parseCommandLine, usage } from './runtime/usage.ts';
import { createVerifier } from './runtime/verifier.ts';
import { loadKeyring } from './sealing/keyring.ts';
import { createTokens } from './sign-in/access-tokens.ts';
import { createLinks } from './sign-in/sign-in-links.ts';
import { createSignIns } from './sign-in/sign-ins.ts';
import { openStore } from './store/leveldb/open.ts';
import { boundedStore } from './store/sealed/bounded-store.ts';
import { createRotation } from './store/sealed/rotation.ts';
import type { TrailBounds } from './store/sealed/trail-pruning.ts';
import { AuditedStore } from './verifier/audited-store.ts';
import { createRateLimiter } from './verifier/rate-limiter.ts';

/** Puts the parts together; nothing else does. */

const clock = { now: () => Date.now(), monotonic: () => performance.now() };

/** Below `init --root` the daemon's own uid counts as root on control.sock. */
function rootUids(file: string, controlSocket: string): ReadonlySet<number> {
  const rooted = rootOf(file);
  const own = rooted !== undefined && rootedPaths(rooted).controlSocket === controlSocket;
  return new Set(own ? [0, process.geteuid?.() ?? 0] : [0]);
}

function boundsOf({ keepEvents, keepBytes }: Config['audit']): TrailBounds {
  return { keep: keepEvents, keepBytes };
}

async function serve(file: string, addon: Addon, log: Log): Promise<void> {
  const started = clock.now();
  const manager = createManager({ addon, log, environment: process.env, pid: process.pid });
  const boot = bootId();
  const options: ConfigurationOptions = { file, host: hostname(), now: clock.now, log };
  const credentials = process.env.CREDENTIALS_DIRECTORY;
  const { configuration, keyring } = loadConfiguration(options, (path) =>
    loadKeyring({ path, ...(credentials === undefined ? {} : { credentials }) }),
  );
  const { paths } = configuration.current();
  process.on('SIGHUP', () => {
    try {
      manager.reloading(configuration.reload);
    } catch {
      // It is in the log and in `status`; the last good one stays in force.
    }
  });
  const activated = takeActivatedSockets(process.env, process.pid);
  for (const descriptor of activated.values()) addon.closeOnExec(descriptor);

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
  const accounts = createAccounts({ lookup: addon.lookupAccount });
  const nameHash = keyring.keyedHash('throttle');
  const salt = systemRandomness.bytes(16);
  const throttleOf = () =>
    createRateLimiter({
      hash: (text) => nameHash.of(nameHash.keyId, salt, text).toString('base64'),
      monotonic: clock.monotonic,
    });
  const tallyOf = (event: string) => createLogAggregator(log, event, limits.unknownNamesInterval);
  const unknownNames = counts.tally('unknown-name', tallyOf('unknown-names'));
  const throttled = counts.tally('throttled', tallyOf('throttled'));
  const touches = createKeyRequests(createFidoHelper({ where: fidoEndpoint(paths), log }), systemRandomness);
  const assertions = createAssertions(log);
  const approvals = createApprovals({
    assertions,
    randomness: systemRandomness,
    clock,
    origins: () => configuration.current().portal?.origins ?? [],
  });
  const judge = createVerifier({
    store,
    accounts,
    config: configuration.current,
    keyedHash: keyring.keyedHash('recovery'),
    randomness: systemRandomness,
    clock,
    throttle: throttleOf(),
    validations: createValidations(createAskServers(log)),
    assertions,
    approvals,
    touches,
    unknownNames,
    throttled,
    log,
  });

  const verifier = measuredVerifier(judge, counts);
  const login = createLoginServer({
    descriptors: descriptorLimit(),
    verifier,
    touches,
    approvals,
    log,
    factsOf: (hello, peer, rootSocket) =>
      factsOf(hello, peer, rootSocket, { bootId: boot, sessionIsLocal: accounts.sessionIsLocal }),
  });
  const rotation = createRotation({ store: opened, keyring, resealOthers: configuration.keep, log });
  // What is asked on control.sock, by whomever, leaves threads for logins.
  const asked = limitedAccounts(accounts, createSlots(limits.controlLookups), 'control');
  const signed = { accounts: asked, clock, randomness: systemRandomness };
  const uidOf = async (name: string | undefined): Promise<number | undefined> => {
    const found = name === undefined ? undefined : await asked.byName(name, []);
    return found?.status === 'found' ? found.account.uid : undefined;
  };
  let lastPortalUid: number | undefined;
  const portalUid = async () => {
    lastPortalUid = await uidOf(configuration.current().portal?.user);
    return lastPortalUid;
  };
  await portalUid();
  const ledger = new AuditedStore(store, log);
  const tokens = createTokens({
    ...signed,
    adminGroup: () => configuration.current().adminGroup,
    rootUids: rootUids(file, paths.controlSocket),
    portalUid,
  });
  const signIns = createSignIns({
    ...signed,
    configuration,
    store,
    ledger,
    verifier,
    passwords: createPasswordHelper({ where: passwordEndpoint(paths), log }),
    tokens,
    links: createLinks(signed),
    throttle: throttleOf(),
    bootId: boot,
  });
  const control = createControlServer({
    admin: createAdmin({
      store,
      accounts: asked,
      configuration,
      now: clock.now,
      bootId: boot,
      version: version(),
      started,
      openLogins: login.open,
      keys: () => keysView(keyring, rotation),
    }),
    verifier,
    metrics: createMetrics({
      counts,
      store,
      config: configuration.current,
      openLogins: () => login.open(),
      now: clock.now,
      version: version(),
      started,
      keyId: () => keyring.current,
    }),
    ceremonies: createCeremonies({ verifier, touches, randomness: systemRandomness }),
    keeping: { store: opened, keyring, rotation, ledger, log, version: version(), now: clock.now },
    log,
    accounts: asked,
    tokens,
    signIns,
    browserKeys: createBrowserKeys({ ...signed, verifier, configuration }),
    moving: createMoving({
      ...signed,
      store,
      config: configuration.current,
      keyedHash: keyring.keyedHash('recovery'),
      ledger,
      log,
    }),
    approvals: createApprovalsApi(approvals, () => configuration.current().webauthn?.rpId ?? ''),
    adminGroup: () => configuration.current().adminGroup,
    rootUids: rootUids(file, paths.controlSocket),
    portalUid,
    notifyUid: () => uidOf(configuration.current().notify && notifyUser),
    lastPortalUid: () => lastPortalUid,
  });

  const at = (name: string, path: string): { path: string } | { fd: number } => {
    const descriptor = activated.get(name);
    return descriptor === undefined ? { path } : { fd: descriptor };
  };
  // Before the first socket is there: whoever stops us meanwhile must not leave one behind.
  const toldToStop = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  // control.sock first and pam.sock last: who finds pam.sock finds all of it.
  await control.listen(at('control', paths.controlSocket));
  await login.listen('user', at('pam-user', paths.pamUserSocket));
  await login.listen('root', at('pam', paths.pamSocket));
  // Kept elsewhere with the journal, it shows that nothing before it was changed: `audit verify --expect`.
  const tellHead = (): void => {
    const { events, trail } = store.health();
    if (trail?.head !== undefined) log.info('audit-head', { place: events.last, link: trail.head });
  };
  const prune = (): void => {
    const { audit } = configuration.current();
    store
      .pruneEvents({ before: clock.now() - audit.keepForMs, ...boundsOf(audit) })
      .catch((error: unknown) => log.warning('audit-not-pruned', { message: messageOf(error) }))
      .finally(tellHead);
  };
  prune();
  setInterval(prune, limits.pruneInterval).unref();
  rotation.start();
  manager.ready(() => statusLine(store, configuration, login.open()), checkOf(store));
  log.info('ready', { version: version(), pid: process.pid, file, startedIn: clock.now() - started });

  await toldToStop;
  manager.stopping('Stopping: logins under way hear that they must try again');
  log.info('stopping');
  await login.close();
  await control.close();
  unknownNames.flush();
  throttled.flush();
  await rotation.stop();
  tellHead();
  await store.close();
  await journal.close();
}

runProgram({
  name: 'sallyportd',
  usage: usage(),
  parse: parseCommandLine,
  async run(options) {
    const file = options.config ?? defaultConfigFile;
    if (options.check === true) return check(file);
    const addon = loadAddon();
    if (options.init === true) return init(options.root, options.config, addon, options.user);
    // Seeds and keys pass through memory: no core dumps, no ptrace by others of our uid.
    addon.setDumpable(false);
    forbidFetch('sallyportd');
    const work = offlineWorkIn(options);
    if (work !== undefined) return (await offlineWork(work, file, addon)) ? exits.done : exits.failed;
    await serve(file, addon, logToStderr());
    return exits.done;
  },
});
