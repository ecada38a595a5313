import { readdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import { createClient } from '../../daemon/client/client.ts';
import type { Known } from './candidates.ts';

/** Somebody waits for the Tab key; milliseconds. */
const patience = 2_000;

/** As many as somebody would look through. */
const offered = 200;

/**
 * What the daemon tells without being asked to prove anything.
 *
 * What MUST hold: a key pressed for completion never asks for a password, prints no error and changes nothing.
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

/** Whoever may not see the others still has factors of their own. */
function ownName(): string {
  try {
    return userInfo().username;
  } catch {
    return '';
  }
}
