import type { KeysView, Realm, ReloadView } from '../api/views.ts';
import { fitting } from '../audit/filter.ts';
import type { Configuration } from '../config/in-force.ts';
import type { Accounts } from '../host/contract.ts';
import { SallyportError } from '../lib/errors.ts';
import { limits } from '../limits.ts';
import type { Store } from '../store/contract.ts';
import { createAccountChanges } from './account-changes.ts';
import { createAccountReading } from './account-reading.ts';
import { createAccountStatuses } from './account-status.ts';
import type { Admin } from './contract.ts';
import { createExempting, createExemptionCount } from './exemptions.ts';
import { createExplain } from './explanation.ts';
import { createFactorChanges } from './factor-changes.ts';
import { createOwnEvents } from './own-events.ts';
import { createOwners } from './owners.ts';
import { createPortalSettings, type PortalSettings } from './portal-settings.ts';
import { createPresence } from './presence.ts';
import { createPresenceCount, type PresenceCountLimits } from './presence-count.ts';
import { createReporting } from './report.ts';
import { statusOf } from './status.ts';
import { createTroubles } from './store-health-events.ts';

export interface AdministrationOptions {
  readonly store: Store;
  readonly accounts: Accounts;
  readonly configuration: Configuration;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly bootId: string;
  readonly version: string;
  readonly started: number;
  /** Logins in progress. */
  readonly openLogins?: () => number;
  readonly keys?: () => KeysView;
  /** By default `limits.presenceCount`. */
  readonly presenceCount?: PresenceCountLimits;
}

/** The daemon's operations for administrators, on the store. */
export function createAdmin(options: AdministrationOptions): Admin {
  const { store, configuration } = options;
  const accountStatus = createAccountStatuses(options);
  const presence = createPresence(options);
  const exemptions = createExemptionCount(store, options.now);
  const presences = createPresenceCount({
    ...options,
    // A separate time for each name: a slow name service is not an unavailable one.
    look: (account, record) => presence()(account, record),
    ...(options.presenceCount === undefined ? {} : { limit: options.presenceCount }),
  });
  const portalSettings = createPortalSettings(configuration.current());
  return {
    status: () => statusOf({ ...options, exemptions, presences }),
    reload: async () => reloaded(configuration, portalSettings),
    portalReported: (digest) => portalSettings.reported(digest),
    realms: () => configuration.current().realms,
    realm: (name) => realmNamed(configuration.current().realms, name),
    explain: createExplain(options),
    ...createReporting(options),
    ...createAccountReading({ ...options, presence, accountStatus }),
    ...createAccountChanges(options),
    ...createFactorChanges(options, accountStatus),
    ...createExempting({ ...options, changed: exemptions.changed }),
    ...createOwners({
      ...options,
      changed(account, exemption) {
        exemptions.changed(account, exemption);
        presences.changed(account);
      },
    }),
    ...createTrailReading(store),
    endOfOthers: createOwnEvents(store).endOfOthers,
    followTroubles: createTroubles(() => store.health(), options.now),
  };
}

function reloaded(
  configuration: Configuration,
  portalSettings: Pick<PortalSettings, 'isOutdated'>,
): ReloadView {
  const config = configuration.reload();
  const problem = configuration.problem();
  return {
    file: config.file,
    realms: config.realms.length,
    portal: portalSettings.isOutdated(config),
    ...(problem === undefined ? {} : { problem }),
  };
}

/** What is read of the audit trail, and followed. */
function createTrailReading(store: Store): Pick<Admin, 'audit' | 'checkTrail' | 'auditFrom' | 'follow'> {
  return {
    async audit(query, after = -1) {
      const { last } = store.health().events;
      const fits = fitting(query);
      const page = await store.search({ ...query, fits, scan: limits.trailScan });
      const next = page.next !== undefined && page.next > after ? { next: page.next } : {};
      return { events: page.events.filter(({ seq }) => seq > after), ...next, last };
    },
    checkTrail: (query) => store.checkTrail({ ...query, scan: limits.trailScan }),
    auditFrom: (from, user, limit) =>
      store.events({ from, limit, forward: true, ...(user === undefined ? {} : { account: user }) }),
    follow: (user, listener) =>
      store.follow((event) => {
        if (user === undefined || event.account === user) listener(event);
      }),
  };
}

function realmNamed(realms: readonly Realm[], name: string): Realm {
  const realm = realms.find((candidate) => candidate.name === name);
  if (realm !== undefined) return realm;
  throw new SallyportError('no-such-realm', 'realm not found; run: sallyport realm list');
}
