import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CliError } from '../lib/errors.ts';
import { isNotRunning, readSettings, type SshdSettings } from '../lib/sshd-settings.ts';
import { readText } from './write.ts';

/** sshd's configuration as sshd itself resolves it. */

export const dropInDirectory = '/etc/ssh/sshd_config.d';
export const mainFile = '/etc/ssh/sshd_config';

export const sshdProgram = existsSync('/usr/sbin/sshd') ? '/usr/sbin/sshd' : 'sshd';

/** @param user as whom somebody would connect: what Match blocks say of them. @throws CliError refused */
export function sshdSettings(user?: string): SshdSettings {
  const who = user === undefined ? [] : ['-C', `user=${user},host=localhost,addr=127.0.0.1`];
  const run = spawnSync(sshdProgram, ['-T', ...who], { encoding: 'utf8' });
  if (run.status !== 0) throw new CliError('refused', faultOf(run));
  return readSettings(run.stdout);
}

/** @returns what sshd has against its configuration; undefined: nothing */
export function sshdFault(): string | undefined {
  const run = spawnSync(sshdProgram, ['-t'], { encoding: 'utf8' });
  return run.status === 0 ? undefined : faultOf(run);
}

function faultOf(run: { readonly error?: Error | undefined; readonly stderr: string | null }): string {
  const why = run.error?.message ?? run.stderr?.trim().replaceAll(/\r?\n/g, '; ');
  return isNotRunning(why ?? '') ? `sshd is not running (${why}); start it first` : `sshd -t: ${why}`;
}

export const includeHint = `the line "Include ${dropInDirectory}/*.conf" must stand at the top of sshd_config, and Match blocks must agree`;

/** Where a drop-in says what sshd does not do: one sentence each. */
export function disagreements(dropIn: string, settings: SshdSettings): readonly string[] {
  return settingsIn(dropIn).flatMap(([keyword, value]) => {
    const real = settings.get(keyword.toLowerCase());
    if (real === undefined || real.toLowerCase() === value.toLowerCase()) return [];
    const elsewhere = connectionLimitOf(keyword);
    const where = elsewhere.length === 0 ? '' : `, which ${elsewhere.join(' and ')} says`;
    return [`sshd would have ${keyword} ${real} and not ${value}${where}`];
  });
}

function settingsIn(text: string): readonly (readonly [string, string])[] {
  return text.split('\n').flatMap((line) => {
    const [, keyword = '', value = ''] = /^\s*([A-Za-z]\w*)\s+(.*?)\s*$/.exec(line) ?? [];
    return keyword === '' ? [] : [[keyword, value] as const];
  });
}

/** Files with a line of that keyword, but for our own. */
function connectionLimitOf(keyword: string): readonly string[] {
  const names = existsSync(dropInDirectory) ? readdirSync(dropInDirectory) : [];
  const files = names.filter((name) => name.endsWith('.conf') && !name.includes('sallyport')).sort();
  const line = new RegExp(`^\\s*${keyword}\\s`, 'i');
  return [...files.map((name) => join(dropInDirectory, name)), mainFile].flatMap((file) => {
    const at = (readText(file) ?? '').split('\n').findIndex((one) => line.test(one));
    return at < 0 ? [] : [`${file}:${at + 1}`];
  });
}

/** Which of the ready stacks fits how sshd lets people in today. @returns undefined: more than one does */
export function fittingStack(settings: SshdSettings): string | undefined {
  const says = (keyword: string) => settings.get(keyword) === 'yes';
  const password = says('passwordauthentication') || says('kbdinteractiveauthentication');
  const key = says('pubkeyauthentication');
  if (password === key) return undefined;
  return password ? 'sallyport-sshd' : 'sallyport-sshd-key';
}

/** The command that makes a running sshd read its configuration again. */
export function reloadCommand(settings: SshdSettings): string {
  if (!existsSync('/run/systemd/system')) return `kill -HUP $(cat ${pidFile(settings)})`;
  const debian = spawnSync('systemctl', ['--quiet', 'cat', 'ssh.service'], { stdio: 'ignore' });
  return `systemctl reload ${debian.status === 0 ? 'ssh' : 'sshd'}`;
}

/** @throws CliError refused: what the command said */
export function reload(settings: SshdSettings): void {
  const command = reloadCommand(settings);
  const run = spawnSync('/bin/sh', ['-c', command], { encoding: 'utf8' });
  if (run.status !== 0)
    throw new CliError(
      'refused',
      `${command}: ${run.stderr.trim()}; sshd goes on with what it has read before`,
    );
}

/** Of the sshd that listens. */
export function pidFile(settings: SshdSettings): string {
  return settings.get('pidfile') ?? '/run/sshd.pid';
}
