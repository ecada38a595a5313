import { readdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import { createClient } from '../../daemon/client/client.ts';
import type { Known } from './candidates.ts';

/** Milliseconds; the user waits after pressing Tab. */
const patience = 2_000;

/** Maximum number of candidates. */
const offered = 200;

/**
 * Names that the daemon returns without a sign-in.
 *
 * Invariants: completion never asks for a password, prints no error and changes nothing.
 */
export function knownBy(socket: () => string): Known {
  const client = () => createClient({ socket: socket(), timeout: patience });
  return {
    accounts: async (beginning) => {
      const users = await orNothing(
        async () =>
          (await client().users(undefined, offered, beginning === '' ? undefined : beginning)).users,
      );
      return users.length > 0 ? users.map(({ account }) => account) : [ownName()];
    },
    factors: (account) => orNothing(() => client().factors(account)),
    realms: () => orNothing(async () => (await client().realms()).map(({ name }) => name)),
    services: () => {
      try {
        return readdirSync('/etc/pam.d').filter((name) => !/^(common|sallyport)-|\.|^other$/.test(name));
      } catch {
        return [];
      }
    },
  };
}

async function orNothing<T>(ask: () => Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await ask();
  } catch {
    return [];
  }
}

/** A caller who may not list other accounts still has their own factors. */
function ownName(): string {
  try {
    return userInfo().username;
  } catch {
    return '';
  }
}
