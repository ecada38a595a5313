import { isNotRunning, readSettings, type SshdSettings } from '../lib/sshd-settings.ts';
import type { Machine } from './contract.ts';

export type Resolved =
  | { readonly kind: 'settings'; readonly settings: SshdSettings }
  | { readonly kind: 'bad' | 'absent' | 'unseen'; readonly why: string };

/** A connection for which Match blocks are evaluated. */
export interface Probe {
  readonly user: string;
  readonly address: string;
}

/** Runs sshd -T, which reads the host keys: only root can. */
export async function resolveSshd(machine: Machine, { user, address }: Probe): Promise<Resolved> {
  const connection = `user=${user},host=${address},addr=${address},laddr=0.0.0.0,lport=22`;
  const { status, stdout, stderr, missing } = await machine.run(['sshd', '-T', '-C', connection]);
  if (missing === true) return { kind: 'absent', why: 'sshd is not installed' };
  if (status !== 0) {
    const why = stderr.trim() || 'sshd -T printed nothing';
    const blind = machine.uid !== 0 || isNotRunning(why);
    return { kind: blind ? 'unseen' : 'bad', why };
  }
  return { kind: 'settings', settings: readSettings(stdout) };
}

/** Users, groups and addresses in Match blocks, without patterns and negations. */
export interface MatchNames {
  readonly users: readonly string[];
  readonly groups: readonly string[];
  readonly addresses: readonly string[];
}

/** @param texts of sshd_config and of the files that it includes */
export function matchNames(texts: readonly string[]): MatchNames {
  const found = { users: new Set<string>(), groups: new Set<string>(), addresses: new Set<string>() };
  for (const [, criteria = ''] of texts.join('\n').matchAll(/^\s*match\s+(.*)$/gim)) {
    const words = criteria.replaceAll('"', '').split(/[\s=]+/);
    for (let at = 0; at + 1 < words.length; at += 2) {
      const values = (words[at + 1] ?? '').split(',').filter((value) => value !== '' && !/[*?!]/.test(value));
      const kind = words[at]?.toLowerCase();
      const into =
        kind === 'user'
          ? found.users
          : kind === 'group'
            ? found.groups
            : kind === 'address'
              ? found.addresses
              : undefined;
      for (const value of values) into?.add(value);
    }
  }
  return { users: [...found.users], groups: [...found.groups], addresses: [...found.addresses] };
}
