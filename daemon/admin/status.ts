import type { KeysView, StatusView } from '../api/views.ts';
import type { Config } from '../config/contract.ts';
import { type Configuration, observingWarnings } from '../config/in-force.ts';
import { securityKeyRequirement } from '../factors/contract.ts';
import { pluralise } from '../lib/units.ts';
import type { Store, StoreHealth } from '../store/contract.ts';
import type { ExemptionCount } from './exemptions.ts';
import type { PresenceCount } from './presence-count.ts';

export interface StatusOptions {
  readonly store: Pick<Store, 'health'>;
  readonly configuration: Configuration;
  readonly now: () => number;
  readonly version: string;
  readonly started: number;
  /** Logins in progress. */
  readonly openLogins?: () => number;
  readonly exemptions: ExemptionCount;
  readonly presences: PresenceCount;
  readonly keys?: () => KeysView;
}

/** The status. All problems are in `warnings`, even if other fields show them too. */
export function statusOf(options: StatusOptions): StatusView {
  const { configuration } = options;
  const config = configuration.current();
  const problem = configuration.problem();
  const store = options.store.health();
  const exemptions = options.exemptions.now();
  const presence = options.presences.now();
  const keys = options.keys?.();
  return {
    version: options.version,
    pid: process.pid,
    logins: options.openLogins?.() ?? 0,
    started: options.started,
    now: options.now(),
    config: {
      file: config.file,
      loaded: configuration.loaded(),
      realms: config.realms.length,
      ...(problem === undefined ? {} : { problem }),
    },
    securityKeys: {
      ...(config.webauthn === undefined ? {} : { rpId: config.webauthn.rpId }),
      askedBy: config.paths.fidoHelper ?? config.paths.fidoSocket,
    },
    store,
    observing: config.realms.filter(({ observe }) => observe).map(({ name }) => name),
    exemptions,
    presence,
    ...(keys === undefined ? {} : { keys }),
    warnings: [
      ...storeWarnings(store),
      ...rotationWarnings(keys),
      ...configWarnings(problem),
      ...observingWarnings(config),
      ...(config.deprecated ?? []),
      ...exemptionWarnings(exemptions),
      ...ownerWarnings(presence),
      ...keyWarnings(config),
    ],
  };
}

function storeWarnings(store: StoreHealth): readonly string[] {
  const state =
    store.state === 'ok'
      ? []
      : [
          `the store is ${store.state} (${store.reason ?? 'reason unknown'}): logins that need a factor are refused until it can be written`,
        ];
  const findings = store.scrub.findings.map((finding) => `the store is damaged: ${finding}`);
  return [...state, ...findings];
}

function exemptionWarnings({ running, complete }: StatusView['exemptions']): readonly string[] {
  if (running === 0) return [];
  const [accounts, are] = running === 1 ? ['account', 'is'] : ['accounts', 'are'];
  const least = complete ? '' : ' (at least: not all records are read yet)';
  return [
    `${running} ${accounts} ${are} exempt from the second factor for a while${least}; run: sallyport user list`,
  ];
}

function ownerWarnings(presence: StatusView['presence']): readonly string[] {
  if (presence.state === 'unavailable' || presence.another === 0) return [];
  const records = pluralise(presence.another, 'record');
  return [
    `${records} of accounts that now have another uid: their logins are refused until an administrator decides; run: sallyport user list`,
  ];
}

function rotationWarnings(keys: KeysView | undefined): readonly string[] {
  if (keys?.rotation.kind !== 'failed') return [];
  return [
    `not all records are encrypted with the master key ${keys.current} yet: ${keys.rotation.why}. Continue with: sallyport master-key rotate`,
  ];
}

function keyWarnings({ webauthn, realms, file }: Config): readonly string[] {
  if (webauthn !== undefined) return [];
  const waiting = realms.filter(
    ({ require }) => Array.isArray(require) && require.includes(securityKeyRequirement),
  );
  return waiting.map(
    ({ name, line }) =>
      `the realm "${name}" (${file}:${line}) accepts security keys, but [webauthn] names no rp_id: none can be added or used`,
  );
}

function configWarnings(problem: string | undefined): readonly string[] {
  return problem === undefined ? [] : [`the configuration file is not in force: ${problem}`];
}
