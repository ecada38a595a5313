import { writeSync } from 'node:fs';
import type { Store } from '../../daemon/store/contract.ts';
import { counterOf, eventOf, recordOf } from './store-records.ts';
import { StoreRig } from './store-rig.ts';

/**
 * Opens the store below argv[2] and counts accounts up, all at once, until it is killed. A line for each
 * commit that was acknowledged goes to stdout: "NAME COUNTER". Says "open" first.
 */
const CLIENTS = 64;
const [root = ''] = process.argv.slice(2);

async function countUp(store: Store, account: string): Promise<void> {
  for (;;) {
    const { value, version } = await store.account(account);
    const counter = (counterOf(value) ?? 0) + 1;
    const outcome = await store.commit({
      accounts: [{ account, version, write: recordOf(account, counter) }],
      events: [eventOf(account)],
    });
    if (outcome !== 'committed') throw new Error(outcome);
    writeSync(1, `${account} ${counter}\n`);
  }
}

const store = await StoreRig.at(root).open();
writeSync(1, 'open\n');
await Promise.all(Array.from({ length: CLIENTS }, (_, client) => countUp(store, `user${client}`)));
