import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { people } from './people.ts';

/** The directory with package.json: the native parts lie below it. */
export const repository = upTo(import.meta.dirname, 'package.json');
/** The daemon and the CLI of the same build as this file. */
export const daemonMain = join(import.meta.dirname, '../daemon/main.js');
export const cliMain = join(import.meta.dirname, '../cli/main.js');

function upTo(directory: string, file: string): string {
  if (existsSync(join(directory, file))) return directory;
  const above = dirname(directory);
  if (above === directory) throw new Error(`no ${file} above ${import.meta.dirname}`);
  return upTo(above, file);
}

export function must(program: string, argv: readonly string[]): string {
  const run = spawnSync(program, argv, { encoding: 'utf8' });
  if (run.status !== 0)
    throw new Error(
      `${program} ${argv.join(' ')}: status ${run.status} ${run.error ?? ''}\n${run.stdout}${run.stderr}`,
    );
  return run.stdout;
}

/**
 * Gives the namespace accounts of its own, and no log and no name service cache: the modules must not fill the
 * machine's log, and what a log daemon takes is not theirs.
 */
export function prepareMachine(directory: string): void {
  const passwd = join(directory, 'passwd');
  const lines = people.map(
    ({ name }, index) => `${name}:x:${60_000 + index}:65534::/nonexistent:/bin/false\n`,
  );
  writeFileSync(passwd, readFileSync('/etc/passwd', 'utf8').replace(/\n?$/, '\n') + lines.join(''));
  must('mount', ['--bind', passwd, '/etc/passwd']);
  must('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', '/run']);
  if (existsSync('/dev/log')) must('mount', ['--bind', '/dev/null', '/dev/log']);
  mkdirSync(join(directory, 'pam.d'));
}

/** A service of the name, in the directory that the driver's libpam reads. */
export function writeService(directory: string, name: string, lines: readonly string[]): void {
  const text = [...lines, 'auth required pam_permit.so', ''].join('\n');
  writeFileSync(join(directory, 'pam.d', name), text);
}

export function describeMachine(): string {
  const all = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  return `${all.length} x ${all[0]?.model.trim() ?? 'unknown'}, ${gib} GiB`;
}
