import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from './errors.ts';
import { createLog, type Log } from './log.ts';

/** The process that sallyportd is: what it is called, what it may use, where its log goes. */

export function version(): string {
  for (const place of ['../package.json', '../../package.json']) {
    try {
      return String(JSON.parse(readFileSync(join(import.meta.dirname, place), 'utf8')).version);
    } catch {
      // Built, the file lies one folder higher.
    }
  }
  return 'unknown';
}

/** Soft limit of open files; Node raises it to the hard one when it starts. */
export function descriptorLimit(): number {
  const line = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  return line === null ? 1_024 : Number(line[1]);
}

export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** A log that nobody takes, or a full disk behind it, must not end the daemon (design, rule 8). */
export function logToStderr(): Log {
  process.stderr.on('error', () => undefined);
  const write = (line: string): void => {
    try {
      process.stderr.write(line);
    } catch {
      // There is no other place to say so.
    }
  };
  const log = createLog(write, process.env.JOURNAL_STREAM !== undefined);
  // A defect: what state we are in is not known, so the service manager is to start us anew.
  process.on('uncaughtException', (error) => {
    log.error('defect', { message: messageOf(error), stack: error.stack });
    process.exit(1);
  });
  return log;
}

/** Nothing here fetches by itself: a library that asked for revocation lists would tell others of our logins. */
export function forbidFetch(): void {
  globalThis.fetch = () => Promise.reject(new Error('sallyportd fetches nothing'));
}
