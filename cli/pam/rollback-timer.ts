import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pamConfig } from './installed.ts';
import { revertScript } from './record.ts';
import { readText, writeAtomically } from './write.ts';

/** Independent mechanisms that roll back a change, even after the command has ended. */
export interface Watch {
  /** A restart of the machine rolls it back before any login. */
  readonly overReboot: boolean;
}

const unit = 'sallyport-pam-revert.service';
const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

/**
 * Invariant: no rollback timer ends with the shell, its session or sshd.
 * - a process in a separate session, which receives no hang-up;
 * - under systemd, a transient unit outside login sessions, whose processes logind may kill;
 * - under systemd, a unit for the next boot.
 */
export function watch(id: string, onTrial: boolean): Watch {
  const shell = ['/bin/sh', revertScript, 'wait', id];
  const [program = '', ...argv] = shell;
  spawn(program, argv, { detached: true, stdio: 'ignore', cwd: '/', env: environment }).unref();
  if (!existsSync('/run/systemd/system')) return { overReboot: false };
  const name = `--unit=sallyport-pam-try-${process.pid}`;
  succeeds('systemd-run', ['--quiet', '--collect', name, '--', ...shell]);
  return { overReboot: onTrial && enableUnit() };
}

function enableUnit(): boolean {
  if (!succeeds('systemctl', ['cat', unit])) {
    const text = readText(join(pamConfig(), 'systemd', unit));
    if (text === undefined) return false;
    writeAtomically(`/etc/systemd/system/${unit}`, text);
    succeeds('systemctl', ['daemon-reload']);
  }
  return succeeds('systemctl', ['--quiet', 'enable', unit]);
}

function succeeds(program: string, argv: readonly string[]): boolean {
  return spawnSync(program, argv, { stdio: 'ignore', env: environment }).status === 0;
}

/** Rolls the change back now. @param id nothing is done if another change is in progress. @returns whether that succeeded */
export function revertNow(id?: string): boolean {
  return runs(id === undefined ? ['now'] : ['now', id]);
}

/** Rolls back a change whose trial has expired, or that a restart or the end of the command interrupted. */
export function revertIfDue(): void {
  runs(['due']);
}

function runs(mode: readonly string[]): boolean {
  const argv = [revertScript, ...mode];
  return (
    spawnSync('/bin/sh', argv, { stdio: ['ignore', 'inherit', 'inherit'], env: environment }).status === 0
  );
}
