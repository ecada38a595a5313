import { rootedPaths } from '../daemon/config/defaults.ts';
import { loadAddon } from '../daemon/host/addon.ts';
import { loadKeyring } from '../daemon/sealing/keyring.ts';
import type { AccountRecord } from '../daemon/store/contract.ts';
import { openStore } from '../daemon/store/leveldb/open.ts';
import { crowd } from './people.ts';

const perCommit = 2_000;
const secret = Buffer.alloc(20, 7).toString('base64');

function recordOf(account: string): AccountRecord {
  const created = Date.now();
  const id = `f${account}`;
  return {
    account,
    created,
    factors: [
      {
        id,
        name: 'phone',
        created,
        enabled: true,
        kind: 'hotp',
        secret,
        digits: 6,
        algorithm: 'sha1',
        counter: 0,
      },
    ],
    lock: { codes: 0, any: 0 },
    grants: [],
  };
}

/** Puts the accounts that never log in into a store below `root` that no daemon has open. */
export async function fillStore(
  root: string,
  users: number,
  progress: (done: number) => void,
): Promise<void> {
  const { store: directory, anchor, masterKey } = rootedPaths(root);
  const store = await openStore({
    directory,
    anchor,
    keyring: loadKeyring({ path: masterKey }),
    locks: loadAddon(),
  });
  try {
    let done = 0;
    let accounts: { account: string; version: number; write: AccountRecord }[] = [];
    const commit = async (): Promise<void> => {
      const outcome = await store.commit({ accounts, events: [] });
      if (outcome !== 'committed') throw new Error(`filling ${root}: ${outcome}`);
      done += accounts.length;
      progress(done);
      accounts = [];
    };
    for (const account of crowd(users)) {
      accounts.push({ account, version: 0, write: recordOf(account) });
      if (accounts.length === perCommit) await commit();
    }
    if (accounts.length > 0) await commit();
  } finally {
    await store.close();
  }
}
