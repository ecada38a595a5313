import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pamConfig } from './installed.ts';
import { revertScript } from './record.ts';
import { readText, writeAtomically } from './write.ts';

/** Who puts a change back while its author is away, each without the others. */
export interface Watch {
  /** A restart of the machine puts it back, before anybody can log in. */
  readonly overReboot: boolean;
}

const unit = 'sallyport-pam-revert.service';
const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

/**
 * What MUST hold: the end of the shell, of its session and of sshd end no watcher.
 * - a process of its own session, which hears no hang-up;
 * - under systemd one more outside of every login session, which logind ends together with what they started;
 * - under systemd a unit for the next start of the machine.
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

/** Puts the change back now. @returns whether it is back */
export function revertNow(): boolean {
  return runs('now');
}

/** Puts back what must be: its time is over, the machine was restarted, its author ended in the middle of it. */
export function revertIfDue(): void {
  runs('due');
}

function runs(mode: 'now' | 'due'): boolean {
  const argv = [revertScript, mode];
  return (
    spawnSync('/bin/sh', argv, { stdio: ['ignore', 'inherit', 'inherit'], env: environment }).status === 0
  );
}
