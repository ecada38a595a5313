import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { SshdSettings } from '../lib/sshd-settings.ts';
import { type Account, accounts } from './accounts.ts';

/** More is no list of keys; what somebody has put there is read as root. */
const mostBytes = 1 << 20;
const commandLimit = 5_000;

/**
 * Whether sshd would find a key for the account: in its files, from its command, or by a certificate.
 * What MUST hold: a pipe or a device in the place of a file of the user's is not opened.
 */
export function hasKeys(account: Account, settings: SshdSettings): boolean {
  if (settings.get('pubkeyauthentication') === 'no') return false;
  if ((settings.get('trustedusercakeys') ?? 'none') !== 'none') return true;
  const files = (settings.get('authorizedkeysfile') ?? '.ssh/authorized_keys').split(/\s+/);
  const found = files.some((pattern) => {
    if (pattern === 'none') return false;
    const path = withTokens(pattern, account);
    return path !== undefined && holdsKey(readList(path.startsWith('/') ? path : join(account.home, path)));
  });
  return found || fromCommand(account, settings);
}

function holdsKey(text: string): boolean {
  return /^[ \t]*[^#\s]/m.test(text);
}

function readList(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFile() !== true || found.size > mostBytes) return '';
  return readFileSync(path, 'latin1');
}

/** @returns undefined: it holds a token that stands for a key, which nobody offers here */
function withTokens(text: string, { name, home, uid }: Account): string | undefined {
  const values: Readonly<Record<string, string>> = { h: home, u: name, U: String(uid), '%': '%' };
  if ([...text.matchAll(/%(.)/g)].some(([, token = '']) => values[token] === undefined)) return undefined;
  return text.replaceAll(/%(.)/g, (_, token: string) => values[token] ?? '');
}

/** What AuthorizedKeysCommand prints, run as sshd runs it. One that cannot be asked is taken to know keys. */
function fromCommand(account: Account, settings: SshdSettings): boolean {
  const command = settings.get('authorizedkeyscommand') ?? 'none';
  if (command === 'none') return false;
  const words = command.split(/\s+/).map((word) => withTokens(word, account));
  const runner = accounts(settings.get('authorizedkeyscommanduser') ?? '')[0];
  const [program, ...argv] = words.flatMap((word) => word ?? []);
  if (program === undefined || runner === undefined || words.includes(undefined)) return true;
  // Without arguments sshd gives it the name.
  const run = spawnSync(program, argv.length === 0 ? [account.name] : argv, {
    uid: runner.uid,
    gid: runner.gid,
    env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin' },
    cwd: '/',
    encoding: 'latin1',
    timeout: commandLimit,
    maxBuffer: mostBytes,
  });
  return run.status !== 0 || holdsKey(run.stdout);
}
