import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Config } from '../config/contract.ts';
import type { Store, StoreHealth } from '../store/contract.ts';
import type { Counts } from './counts.ts';
import { type Family, gauge, textOf, total } from './exposition.ts';
import { createLockCounts } from './locks.ts';

export interface MetricsOptions {
  readonly counts: Counts;
  readonly store: Store;
  readonly config: () => Config;
  readonly openLogins: () => number;
  readonly now: () => number;
  readonly version: string;
  readonly started: number;
  /** Of the master key that new records are sealed with: it can change. */
  readonly keyId: () => string;
}

/** All figures as text (docs/reference/metrics.md). */
export interface Metrics {
  text(): Promise<string>;
}

export function createMetrics(options: MetricsOptions): Metrics {
  const locks = createLockCounts({
    store: options.store,
    now: options.now,
    longest: () => Math.max(...options.config().realms.map(({ lockout }) => lockout.forMs)),
  });
  return {
    async text() {
      const [locked, size] = await Promise.all([locks.current(), sizeOf(options.config().paths.store)]);
      return textOf([
        ...ofProcess(options),
        ...options.counts.families(),
        gauge('sallyport_logins_open', 'Logins that are under way.', options.openLogins()),
        ...(locked === undefined
          ? []
          : [
              {
                name: 'sallyport_accounts_locked',
                help: 'Accounts that are locked, by what: typed codes, or everything.',
                type: 'gauge' as const,
                samples: [
                  { labels: { what: 'codes' }, value: locked.codes },
                  { labels: { what: 'all' }, value: locked.any },
                ],
              },
              gauge(
                'sallyport_accounts_locked_counted_timestamp_seconds',
                'When that was counted, in seconds since the epoch.',
                locked.at / 1_000,
              ),
            ]),
        ...ofStore(options.store.health(), size),
      ]);
    },
  };
}

function ofProcess({ version, started, keyId }: MetricsOptions): readonly Family[] {
  const { user, system } = process.cpuUsage();
  const { active } = performance.eventLoopUtilization();
  return [
    gauge('sallyport_build_info', 'Which sallyportd this is; always 1.', 1, {
      version,
      node: process.versions.node,
    }),
    gauge('sallyport_master_key_info', 'The master key that new records are sealed with; always 1.', 1, {
      key_id: keyId(),
    }),
    gauge('process_start_time_seconds', 'When it was started, in seconds since the epoch.', started / 1_000),
    total('process_cpu_seconds_total', 'CPU time, in seconds.', (user + system) / 1e6),
    gauge('process_resident_memory_bytes', 'Memory in use, in bytes.', process.memoryUsage.rss()),
    total(
      'sallyport_event_loop_busy_seconds_total',
      'How long the event loop was busy: near 1 a second logins begin to queue.',
      active / 1_000,
    ),
  ];
}

function ofStore(health: StoreHealth, size: number | undefined): readonly Family[] {
  const { events, trail, scrub } = health;
  return [
    gauge('sallyport_store_writable', '1 while the store can be written.', health.state === 'ok' ? 1 : 0),
    gauge('sallyport_store_accounts', 'Accounts that the store knows.', health.accounts),
    total('sallyport_store_commits_total', 'The number of the last commit.', health.commit),
    gauge(
      'sallyport_store_anchor_behind',
      'Commits by which the anchor is behind; seconds at the most.',
      health.commit - health.anchorCommit,
    ),
    gauge('sallyport_audit_events', 'Events that are kept.', trail?.held ?? events.last - events.first + 1),
    total('sallyport_audit_events_total', 'Events that were ever written.', events.last),
    ...(trail === undefined
      ? []
      : [gauge('sallyport_audit_bytes', 'What the audit trail takes up, in bytes.', trail.bytes)]),
    ...(size === undefined
      ? []
      : [gauge('sallyport_store_bytes', 'What the store takes up on disk, in bytes.', size)]),
    gauge(
      'sallyport_scrub_findings',
      'Damage that the last pass over the store found.',
      scrub.findings.length,
    ),
    ...(scrub.lastFinished === undefined
      ? []
      : [
          gauge(
            'sallyport_scrub_finished_timestamp_seconds',
            'When the last pass over the store ended, in seconds since the epoch.',
            scrub.lastFinished / 1_000,
          ),
        ]),
  ];
}

/** LevelDB may remove a file meanwhile. */
async function sizeOf(directory: string): Promise<number | undefined> {
  try {
    const sizes = (await readdir(directory)).map((name) =>
      stat(join(directory, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    );
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  } catch {
    return undefined;
  }
}
