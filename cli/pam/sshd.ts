import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CliError } from '../lib/errors.ts';
import { isNotRunning, readSettings, type SshdSettings } from '../lib/sshd-settings.ts';
import { readText } from './write.ts';

/** sshd's configuration as resolved by sshd. */

export const dropInDirectory = '/etc/ssh/sshd_config.d';
export const mainFile = '/etc/ssh/sshd_config';

export const sshdProgram = existsSync('/usr/sbin/sshd') ? '/usr/sbin/sshd' : 'sshd';

/** @param user of the connection, for Match blocks. @throws CliError refused */
export function sshdSettings(user?: string): SshdSettings {
  const who = user === undefined ? [] : ['-C', `user=${user},host=localhost,addr=127.0.0.1`];
  const run = spawnSync(sshdProgram, ['-T', ...who], { encoding: 'utf8' });
  if (run.status !== 0) throw new CliError('refused', faultOf(run));
  return readSettings(run.stdout);
}

/** @returns sshd's error about its configuration; undefined if it is valid */
export function sshdFault(): string | undefined {
  const run = spawnSync(sshdProgram, ['-t'], { encoding: 'utf8' });
  return run.status === 0 ? undefined : faultOf(run);
}

function faultOf(run: { readonly error?: Error | undefined; readonly stderr: string | null }): string {
  const why = run.error?.message ?? run.stderr?.trim().replaceAll(/\r?\n/g, '; ');
  return isNotRunning(why ?? '') ? `sshd is not running (${why}); start it first` : `sshd -t: ${why}`;
}

export const includeHint = `put "Include ${dropInDirectory}/*.conf" at the top of sshd_config, and correct contradicting Match blocks`;

/** Settings of a drop-in that do not take effect, one sentence each. */
export function disagreements(dropIn: string, settings: SshdSettings): readonly string[] {
  return settingsIn(dropIn).flatMap(([keyword, value]) => {
    const real = settings.get(keyword.toLowerCase());
    if (real === undefined || real.toLowerCase() === value.toLowerCase()) return [];
    const elsewhere = connectionLimitOf(keyword);
    const where = elsewhere.length === 0 ? '' : `, set in ${elsewhere.join(' and ')}`;
    return [`sshd would use ${keyword} ${real} instead of ${value}${where}`];
  });
}

function settingsIn(text: string): readonly (readonly [string, string])[] {
  return text.split('\n').flatMap((line) => {
    const [, keyword = '', value = ''] = /^\s*([A-Za-z]\w*)\s+(.*?)\s*$/.exec(line) ?? [];
    return keyword === '' ? [] : [[keyword, value] as const];
  });
}

/** Files with a line of that keyword, except ours. */
function connectionLimitOf(keyword: string): readonly string[] {
  const names = existsSync(dropInDirectory) ? readdirSync(dropInDirectory) : [];
  const files = names.filter((name) => name.endsWith('.conf') && !name.includes('sallyport')).sort();
  const line = new RegExp(`^\\s*${keyword}\\s`, 'i');
  return [...files.map((name) => join(dropInDirectory, name)), mainFile].flatMap((file) => {
    const at = (readText(file) ?? '').split('\n').findIndex((one) => line.test(one));
    return at < 0 ? [] : [`${file}:${at + 1}`];
  });
}

/** The ready stack for sshd's current methods. @returns undefined if more than one fits */
export function fittingStack(settings: SshdSettings): string | undefined {
  const says = (keyword: string) => settings.get(keyword) === 'yes';
  const password = says('passwordauthentication') || says('kbdinteractiveauthentication');
  const key = says('pubkeyauthentication');
  if (password === key) return undefined;
  return password ? 'sallyport-sshd' : 'sallyport-sshd-key';
}

/** The command that reloads a running sshd. */
export function reloadCommand(settings: SshdSettings): string {
  if (!existsSync('/run/systemd/system')) return `kill -HUP $(cat ${pidFile(settings)})`;
  const debian = spawnSync('systemctl', ['--quiet', 'cat', 'ssh.service'], { stdio: 'ignore' });
  return `systemctl reload ${debian.status === 0 ? 'ssh' : 'sshd'}`;
}

/** @throws CliError refused: the command's error */
export function reload(settings: SshdSettings): void {
  const command = reloadCommand(settings);
  const run = spawnSync('/bin/sh', ['-c', command], { encoding: 'utf8' });
  if (run.status !== 0)
    throw new CliError('refused', `${command}: ${run.stderr.trim()}; sshd keeps its previous configuration`);
}

/** PID file of the listening sshd. */
export function pidFile(settings: SshdSettings): string {
  return settings.get('pidfile') ?? '/run/sshd.pid';
}
