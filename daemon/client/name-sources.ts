import { createAccounts } from '../host/accounts.ts';
import { loadAddon } from '../host/addon.ts';

/**
 * Whether every source of NSS could tell, where getent(1) found nothing: it says the same of a name that does not
 * exist and of a directory service that does not answer.
 *
 * Invariant: a name is never called gone because a source fails, is too slow, or cannot be asked.
 */
export async function sourcesTell(database: 'passwd' | 'group', name: string): Promise<boolean> {
  try {
    const accounts = createAccounts({ lookup: loadAddon().lookupAccount });
    if (database === 'passwd') return (await accounts.byName(name, [])).status === 'absent';
    for (const probe of probes) {
      const found = await accounts.byName(probe, probeGroups);
      if (found.status !== 'found') continue;
      // "Not a member" is said only when every source of groups has answered.
      return [...found.groups.values()].includes('not-member');
    }
    return false;
  } catch {
    return false;
  }
}

/** Accounts and groups of every system, of which one is not a member of another. */
const probes = ['daemon', 'bin', 'nobody'];
const probeGroups = ['root', 'tty', 'disk', 'mail', 'users', 'adm'];
