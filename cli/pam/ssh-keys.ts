import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { SshdSettings } from '../lib/sshd-settings.ts';
import { type Account, accounts } from './accounts.ts';

/** Size limit. Threat: users choose the content of these files, and root reads them. */
const mostBytes = 1 << 20;
const commandLimit = 5_000;

/**
 * Whether sshd would find a key for the account: in its files, from its command, or by a certificate.
 * Invariant: a pipe or a device in place of a user's file is not opened.
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

/** @returns undefined if it contains a token for the offered key, which is not known here */
function withTokens(text: string, { name, home, uid }: Account): string | undefined {
  const values: Readonly<Record<string, string>> = { h: home, u: name, U: String(uid), '%': '%' };
  if ([...text.matchAll(/%(.)/g)].some(([, token = '']) => values[token] === undefined)) return undefined;
  return text.replaceAll(/%(.)/g, (_, token: string) => values[token] ?? '');
}

/** Output of AuthorizedKeysCommand, run as sshd runs it. If it cannot be run, keys are assumed. */
function fromCommand(account: Account, settings: SshdSettings): boolean {
  const command = settings.get('authorizedkeyscommand') ?? 'none';
  if (command === 'none') return false;
  const words = command.split(/\s+/).map((word) => withTokens(word, account));
  const runner = accounts(settings.get('authorizedkeyscommanduser') ?? '')[0];
  const [program, ...argv] = words.flatMap((word) => word ?? []);
  if (program === undefined || runner === undefined || words.includes(undefined)) return true;
  // Without arguments sshd passes the account name.
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
