import type { Configuration } from '../configuration.ts';
import type { Store, StoreHealth } from '../store/contract.ts';
import type { StatusView } from './views.ts';

export interface StatusOptions {
  readonly store: Pick<Store, 'health'>;
  readonly configuration: Configuration;
  readonly now: () => number;
  readonly version: string;
  readonly started: number;
  /** Logins that are under way. */
  readonly openLogins?: () => number;
}

/** How things are. What is wrong is said in `warnings`, whatever else says it too. */
export function statusOf(options: StatusOptions): StatusView {
  const { configuration } = options;
  const config = configuration.current();
  const problem = configuration.problem();
  const store = options.store.health();
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
    store,
    warnings: [...storeWarnings(store), ...configWarnings(problem)],
  };
}

function storeWarnings(store: StoreHealth): readonly string[] {
  const state =
    store.state === 'ok'
      ? []
      : [
          `the store is ${store.state} (${store.reason ?? 'no reason is known'}): logins that need a factor are refused until it can be written`,
        ];
  const findings = store.scrub.findings.map((finding) => `the store is damaged: ${finding}`);
  return [...state, ...findings];
}

function configWarnings(problem: string | undefined): readonly string[] {
  return problem === undefined ? [] : [`the configuration file is not in force: ${problem}`];
}
