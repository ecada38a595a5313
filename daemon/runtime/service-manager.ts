import type { Configuration } from '../config/in-force.ts';
import type { Addon } from '../host/addon.ts';
import { messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { limits } from '../limits.ts';
import type { Store } from '../store/contract.ts';

/**
 * Notifications to the service manager: sd_notify(3), sd_watchdog_enabled(3).
 *
 * Invariants:
 * - a manager that does not listen is no reason to stop, or not to stop in order;
 * - notifications hold no names and no secrets: `systemctl status` shows it to everybody;
 * - what asks whether we are well keeps no process alive.
 */
export interface Manager {
  /** Something before readiness that may take long; it is waited for while it goes on. */
  starting<T>(what: string, work: () => Promise<T>): Promise<T>;
  /** Served from now on. `check` has to succeed for each sign of life. */
  ready(status: () => string, check: () => Promise<void>): void;
  /** What SIGHUP asks for. */
  reloading(work: () => void): void;
  stopping(status: string): void;
}

export interface ManagerOptions {
  readonly addon: Pick<Addon, 'notify'>;
  readonly log: Log;
  /** WATCHDOG_USEC and WATCHDOG_PID are taken out, so that no child takes them for its own. */
  readonly environment: NodeJS.ProcessEnv;
  readonly pid: number;
}

export function createManager(options: ManagerOptions): Manager {
  const { log } = options;
  const everyMs = takeWatchdog(options.environment, options.pid);
  let status = (): string => '';
  let lastStatus = '';

  const tell = (...lines: readonly string[]): void => {
    const message = lines.filter((line) => line !== '').join('\n');
    if (message === '') return;
    try {
      options.addon.notify(message);
    } catch (error) {
      log.warning('manager-not-notified', { message: messageOf(error) });
    }
  };
  /** STATUS= where it has changed. */
  const news = (text: string): string => {
    const line = oneLine(text);
    if (line === lastStatus) return '';
    lastStatus = line;
    return `STATUS=${line}`;
  };

  return {
    starting(what, work) {
      const longer = `EXTEND_TIMEOUT_USEC=${limits.startExtension * 1_000}`;
      tell(news(what), longer);
      return whileStarting(work, () => tell(longer));
    },
    ready(currentStatus, check) {
      status = currentStatus;
      tell('READY=1', news(status()));
      const ping = () => tell(everyMs === undefined ? '' : 'WATCHDOG=1', news(status()));
      watch(everyMs ?? limits.statusInterval, check, ping, log);
    },
    reloading(work) {
      // Type=notify-reload (systemd 253) tells by the time that it is this reload, and not one before.
      tell(
        'RELOADING=1',
        `MONOTONIC_USEC=${process.hrtime.bigint() / 1_000n}`,
        news('Reading the configuration'),
      );
      try {
        work();
      } finally {
        tell('READY=1', news(status()));
      }
    },
    stopping(text) {
      tell('STOPPING=1', news(text));
    },
  };
}

/** Says again and again, within bounds, that it goes on. */
async function whileStarting<T>(work: () => Promise<T>, extend: () => void): Promise<T> {
  const until = performance.now() + limits.longestStart;
  const timer = setInterval(() => {
    if (performance.now() < until) extend();
  }, limits.startExtension / 3).unref();
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** A control character would end the line, and begin another message of ours. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are meant
  return text.replace(/[\x00-\x1f\x7f]+/g, ' ').slice(0, limits.statusLength);
}

/** @returns milliseconds between two signs of life: half of what the manager waits for; undefined: it does not */
function takeWatchdog(environment: NodeJS.ProcessEnv, pid: number): number | undefined {
  const { WATCHDOG_USEC: microseconds, WATCHDOG_PID: forPid } = environment;
  delete environment.WATCHDOG_USEC;
  delete environment.WATCHDOG_PID;
  if (forPid !== undefined && forPid !== String(pid)) return undefined;
  if (microseconds === undefined || !/^[1-9]\d{0,15}$/.test(microseconds)) return undefined;
  return Number(microseconds) / 2_000;
}

/** One check at a time: a second one would say nothing that the first, which hangs, does not say. */
function watch(everyMs: number, check: () => Promise<void>, ping: () => void, log: Log): void {
  let since: number | undefined;
  let isReported = false;
  const round = (): void => {
    if (since !== undefined) {
      if (!isReported)
        log.error('not-well', { message: `no answer for ${Math.round(performance.now() - since)} ms` });
      isReported = true;
      return;
    }
    since = performance.now();
    check()
      .then(() => {
        isReported = false;
        ping();
      })
      .catch((error: unknown) => {
        if (!isReported) log.error('not-well', { message: messageOf(error) });
        isReported = true;
      })
      .finally(() => {
        since = undefined;
      });
  };
  setInterval(round, everyMs).unref();
  round();
}

/**
 * Whether logins are served: that the event loop turns is said by its being called at all.
 *
 * Invariants: an error is an answer. A store that is full, read-only or damaged is no better after a restart, and
 * logins that need nothing of it are served meanwhile (design, rule 8); only one that hangs is.
 */
export function checkOf(store: Pick<Store, 'account' | 'health'>): () => Promise<void> {
  let count = 0;
  return async () => {
    const { writingFor = 0 } = store.health();
    if (writingFor > limits.stuckWrite)
      throw new Error(`a write to the store has been under way for ${Math.round(writingFor)} ms`);
    // Names contain no colon. Another one each time: what was read a moment ago would be read without threads.
    count += 1;
    await store.account(`:${count}`).catch(() => undefined);
  };
}

/** One sentence for `systemctl status`: how things are, the worst first. */
export function statusLine(
  store: Pick<Store, 'health'>,
  configuration: Configuration,
  logins: number,
): string {
  const { state, reason, accounts, scrub } = store.health();
  const { realms } = configuration.current();
  const count = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`;
  const said = [
    ...(state === 'ok' ? [] : [`the store is ${state}: ${reason ?? 'no reason is known'}`]),
    ...(scrub.findings.length === 0 ? [] : ['the store is damaged: see `sallyport status`']),
    ...(configuration.problem() === undefined
      ? []
      : ['the configuration file is not in force: see `sallyport status`']),
    `${count(accounts, 'account')}, ${count(realms.length, 'realm')}, ${count(logins, 'login')} under way`,
  ];
  return `Serving; ${said.join('; ')}`;
}
