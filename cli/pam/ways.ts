import { spawnSync } from 'node:child_process';
import type { ExplainView } from '../../daemon/api/views.ts';
import { methodLists, type SshdSettings, valuesOf } from '../lib/sshd-settings.ts';
import type { Account } from './accounts.ts';
import type { ModuleLine } from './lines.ts';
import { moduleName, roleOf, takesPassword } from './modules.ts';
import type { Stack } from './read.ts';
import { outcomes } from './simulate-stack.ts';
import type { Connection, Resolved } from './sshd-preview.ts';

/*
 * Whether an account could log in. Invariant: what cannot be known (a directory service's password, the result of
 * another vendor's module) counts as available, so that no account is reported as lost by mistake.
 */

/** The credentials of an account, and sallyportd's decision. */
export interface Means {
  readonly account: Account;
  /** undefined if /etc/shadow has no entry. */
  readonly password: boolean | undefined;
  readonly decision: ExplainView['decision'];
}

/** Whether the stack admits the account. */
export function throughPam(stack: Stack, { password, decision }: Means, withKey = false): boolean {
  const answers = (line: ModuleLine): readonly string[] => {
    if (line.options.some((option) => option.includes('SSH_AUTH_INFO_0')))
      return [withKey ? 'success' : 'auth_err'];
    // pam_rootok lets root switch to the account, which is not a login of that account.
    if (moduleName(line) === 'rootok') return ['auth_err'];
    switch (roleOf(line)) {
      case 'ours':
        return [ourAnswer(line, decision)];
      case 'first':
        return [password === false ? 'auth_err' : 'success'];
      case 'deny':
        return ['auth_err'];
      case 'other':
        return ['success', 'auth_err'];
      default:
        return ['success'];
    }
  };
  return (
    stack.fatal === undefined && outcomes(stack.entries, answers).some(({ status }) => status === 'success')
  );
}

function ourAnswer(line: ModuleLine, decision: Means['decision']): string {
  switch (decision) {
    case 'not-needed':
      return 'ignore';
    case 'refused':
      return 'auth_err';
    case 'enrol':
      // Without a verified first factor no factor can be enrolled.
      return takesPassword(line) ? 'auth_err' : 'success';
    default:
      return 'success';
  }
}

/** Why the account could not log in over ssh; undefined if it could. */
export type Obstacle = 'key' | 'password' | 'refused' | 'methods' | 'root' | undefined;

export interface SshLogin {
  readonly obstacle: Obstacle;
  /** It can log in by a method that does not use PAM. */
  readonly pastPam: boolean;
}

/** @param keys whether sshd finds a key for the account; called only if needed */
export function overSsh(resolved: Resolved, stack: Stack, means: Means, keys: () => boolean): SshLogin {
  const { settings } = resolved;
  const lists = methodLists(settings);
  const results = lists.map((list) => byList(list, settings, stack, means, keys));
  const open = results.indexOf(undefined);
  if (open < 0) return { obstacle: results.find((one) => one !== 'methods') ?? 'methods', pastPam: false };
  const past = lists.some(
    (list, index) => results[index] === undefined && !list.some((one) => asksPam.has(one)),
  );
  return { obstacle: undefined, pastPam: past };
}

const asksPam: ReadonlySet<string> = new Set(['keyboard-interactive', 'password']);

function byList(
  list: readonly string[],
  settings: SshdSettings,
  stack: Stack,
  means: Means,
  keys: () => boolean,
): Obstacle {
  const on = (keyword: string) => settings.get(keyword) === 'yes';
  const permit = settings.get('permitrootlogin') ?? 'yes';
  const wantsPam = list.some((method) => asksPam.has(method));
  if (means.account.uid === 0 && (permit === 'no' || (permit !== 'yes' && wantsPam))) return 'root';
  if (list.includes('password') && !on('passwordauthentication')) return 'methods';
  if (list.includes('keyboard-interactive') && !on('kbdinteractiveauthentication')) return 'methods';
  const withKey = list.includes('publickey');
  if (withKey && !keys()) return 'key';
  if (!wantsPam) return undefined;
  if (!on('usepam')) return means.password === false ? 'password' : undefined;
  if (throughPam(stack, means, withKey)) return undefined;
  if (means.decision === 'refused' || means.decision === 'enrol') return 'refused';
  return throughPam(stack, means, true) ? 'key' : 'password';
}

/** AllowUsers and similar settings, as far as they can be evaluated without DNS. */
export function isAdmitted({ text }: Resolved, account: Account, { address }: Connection): boolean {
  const groups = groupsOf(account.name);
  const list = (keyword: string) => valuesOf(text, keyword);
  const isUser = (keyword: string, unsure: boolean) =>
    list(keyword).some((pattern) => isMeant(pattern, account.name, address, unsure));
  const inGroup = (keyword: string) =>
    list(keyword).some((pattern) => groups.some((group) => matchesPattern(pattern, group)));
  if (isUser('denyusers', false) || inGroup('denygroups')) return false;
  if (list('allowusers').length > 0 && !isUser('allowusers', true)) return false;
  return list('allowgroups').length === 0 || inGroup('allowgroups');
}

function isMeant(pattern: string, name: string, address: string, unsure: boolean): boolean {
  const [user = '', host] = pattern.split('@');
  if (!matchesPattern(user, name)) return false;
  // A network or a host name.
  return host === undefined || (/[/a-z]/i.test(host) ? unsure : matchesPattern(host, address));
}

function matchesPattern(pattern: string, text: string): boolean {
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`).test(text);
}

function groupsOf(name: string): readonly string[] {
  const run = spawnSync('id', ['-Gn', '--', name], { encoding: 'utf8', timeout: 10_000 });
  return (run.stdout ?? '').trim().split(/\s+/);
}
