import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { boundedLog } from './bounded-log.ts';
import { codeOf, messageOf } from './errors.ts';
import { createLog, type Log } from './log.ts';

/** What sallyportd, the portal and sallyport-notify have in common as programs. */

/** docs/reference/cli.md, "Exit status"; the same as the CLI's. */
export const exits = { done: 0, failed: 1, usage: 2, config: 78 } as const;

/** It is in package.json, above dist/ where this is built, and above the one file that a package makes of it. */
export function version(): string {
  for (const place of ['../package.json', '../../package.json', '../../../package.json']) {
    try {
      return String(JSON.parse(readFileSync(join(import.meta.dirname, place), 'utf8')).version);
    } catch {
      // In the repository the file lies two directories higher, and three once built.
    }
  }
  return 'unknown';
}

/** A blocked log, or a full disk behind it, must not end the program (design, rule 8). */
export function logToStderr(): Log {
  process.stderr.on('error', () => undefined);
  const write = (line: string): void => {
    try {
      process.stderr.write(line);
    } catch {
      // There is no other place to say so.
    }
  };
  const log = boundedLog(createLog(write, process.env.JOURNAL_STREAM !== undefined), () => performance.now());
  process.on('exit', log.flush);
  // A defect: what state we are in is not known, so the service manager is to restart us.
  process.on('uncaughtException', (error) => {
    log.error('defect', { message: messageOf(error), stack: error.stack });
    process.exit(exits.failed);
  });
  return log;
}

/** None of them fetches by itself: a library that asked for revocation lists would tell others of our logins. */
export function forbidFetch(name: string): void {
  globalThis.fetch = () => Promise.reject(new Error(`${name} fetches nothing`));
}

export interface Program<Options extends { readonly help?: boolean; readonly version?: boolean }> {
  readonly name: string;
  readonly usage: string;
  /** @throws TypeError for what is not in `usage` */
  readonly parse: () => Options;
  /** @returns the exit status */
  readonly run: (options: Options) => Promise<number>;
}

/** Runs it, and ends the process with its status; what is thrown is said in one line. */
export function runProgram<Options extends { readonly help?: boolean; readonly version?: boolean }>(
  program: Program<Options>,
): void {
  const { name, usage } = program;
  process.umask(0o077);
  const main = async (): Promise<number> => {
    let options: Options;
    try {
      options = program.parse();
    } catch (error) {
      process.stderr.write(`${name}: ${messageOf(error)}\n${usage}`);
      return exits.usage;
    }
    if (options.help === true) {
      process.stdout.write(usage);
      return exits.done;
    }
    if (options.version === true) {
      process.stdout.write(`${name} ${version()}\n`);
      return exits.done;
    }
    return program.run(options);
  };
  main().then(
    (status) => process.exit(status),
    (error: unknown) => {
      process.stderr.write(`${name}: ${messageOf(error)}\n`);
      process.exit(codeOf(error).startsWith('config') ? exits.config : exits.failed);
    },
  );
}
