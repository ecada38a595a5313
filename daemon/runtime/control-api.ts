import { createAdmin } from '../admin/admin.ts';
import { createApprovalsApi } from '../ceremonies/approvals-api.ts';
import { createBrowserKeys } from '../ceremonies/browser-enrolment.ts';
import { createCeremonies } from '../ceremonies/ceremonies.ts';
import { notifyUser, rootedPaths } from '../config/defaults.ts';
import { rootOf } from '../config/in-force.ts';
import { createControlServer } from '../control/server.ts';
import { createImportExport } from '../enrolment/import-export.ts';
import type { Accounts } from '../host/contract.ts';
import { version } from '../lib/program.ts';
import { systemRandomness } from '../lib/randomness.ts';
import { createSlots } from '../lib/slots.ts';
import { limits } from '../limits.ts';
import { keysView } from '../maintenance/master-keys.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { createTokens } from '../sign-in/access-tokens.ts';
import { createLinks } from '../sign-in/sign-in-links.ts';
import { createSignIns } from '../sign-in/sign-ins.ts';
import { AuditedStore } from '../verifier/audited-store.ts';
import { limitedAccounts } from '../verifier/limited-accounts.ts';
import {
  type AuthenticatorsPart,
  type Base,
  clock,
  type rateLimiters,
  type StorePart,
  type VerifierPart,
} from './parts.ts';

/** The dependencies of control.sock. */
export interface ApiParts {
  readonly stored: StorePart;
  readonly authenticators: AuthenticatorsPart;
  readonly verifying: VerifierPart;
  readonly rateLimiter: ReturnType<typeof rateLimiters>;
}

/** The server of control.sock; its `close` is the part's. */
export async function apiPart(base: Base, parts: ApiParts) {
  const { configuration, host, log } = base;
  const { opened, rotation, store } = parts.stored;
  const { approvals, keyRequests } = parts.authenticators;
  const { verifier } = parts.verifying;
  // What is asked on control.sock, by whomever, leaves threads for logins.
  const accounts = limitedAccounts(host.accounts, createSlots(limits.controlLookups), 'control');
  const signed = { accounts, clock, randomness: systemRandomness };
  const callers = await callersOf(base, accounts);
  const auditedStore = new AuditedStore(store, log);
  const tokens = createTokens({ ...signed, ...callers });
  const { keyring } = base;
  return createControlServer({
    ...callers,
    ...readingOf(base, parts, accounts),
    verifier,
    ceremonies: createCeremonies({ verifier, keyRequests, host, randomness: systemRandomness }),
    maintenance: { store: opened, keyring, rotation, auditedStore, log, version: version(), now: clock.now },
    log,
    accounts,
    tokens,
    signIns: createSignIns({
      ...signed,
      configuration,
      store,
      auditedStore,
      verifier,
      tokens,
      links: createLinks(signed),
      rateLimiter: parts.rateLimiter(),
      host,
    }),
    browserKeys: createBrowserKeys({ ...signed, verifier, configuration }),
    moving: createImportExport({
      ...signed,
      store,
      config: configuration.current,
      keyedHash: keyring.keyedHash('recovery'),
      auditedStore,
      log,
    }),
    approvals: createApprovalsApi(approvals, {
      rpId: () => configuration.current().webauthn?.rpId ?? '',
      machine: host.name,
    }),
  });
}

/** What administrators read and change, and what Prometheus reads. */
function readingOf({ configuration, host, keyring, started }: Base, parts: ApiParts, accounts: Accounts) {
  const { counts, rotation, store } = parts.stored;
  const openLogins = () => parts.verifying.login.open();
  const common = { store, openLogins, now: clock.now, version: version(), started };
  return {
    admin: createAdmin({
      ...common,
      accounts,
      configuration,
      bootId: host.bootId,
      keys: () => keysView(keyring, rotation),
    }),
    metrics: createMetrics({
      ...common,
      counts,
      config: configuration.current,
      keyId: () => keyring.current,
    }),
  };
}

/** Who counts as root, as an administrator, as the portal and as sallyport-notify. */
async function callersOf({ configuration, file, paths }: Base, accounts: Accounts) {
  const uidOf = async (name: string | undefined): Promise<number | undefined> => {
    const found = name === undefined ? undefined : await accounts.byName(name, []);
    return found?.status === 'found' ? found.account.uid : undefined;
  };
  let lastPortalUid: number | undefined;
  const portalUid = async () => {
    lastPortalUid = await uidOf(configuration.current().portal?.user);
    return lastPortalUid;
  };
  await portalUid();
  return {
    adminGroup: () => configuration.current().adminGroup,
    rootUids: rootUids(file, paths.controlSocket),
    portalUid,
    notifyUid: () => uidOf(configuration.current().notify && notifyUser),
    lastPortalUid: () => lastPortalUid,
  };
}

/** Below `init --root` the daemon's own uid counts as root on control.sock. */
function rootUids(file: string, controlSocket: string): ReadonlySet<number> {
  const rooted = rootOf(file);
  const own = rooted !== undefined && rootedPaths(rooted).controlSocket === controlSocket;
  return new Set(own ? [0, process.geteuid?.() ?? 0] : [0]);
}
