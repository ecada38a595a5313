import { execFileSync } from 'node:child_process';
import { limits } from '../../daemon/limits.ts';
import type { Store } from '../../daemon/store/contract.ts';
import { Expected } from './store-expected.ts';
import { put } from './store-records.ts';
import { StoreRig } from './store-rig.ts';
import { until } from './until.ts';

/** A store with some past: tables in several levels, a log in use, accounts in many versions. */
export interface Grown {
  readonly rig: StoreRig;
  readonly expected: Expected;
}

const OPENINGS = 5;

/** @param end how its last use ended; before `kill` the anchor has caught up */
export async function grownStore(end: 'close' | 'kill', accounts = 40): Promise<Grown> {
  const rig = await StoreRig.create();
  const counters = new Map<string, number>();
  for (let opening = 1; opening < OPENINGS; opening += 1) {
    const store = await rig.open();
    await grow(store, opening, accounts, counters);
    await store.close();
  }
  const store = await rig.open();
  await grow(store, OPENINGS, accounts, counters);
  const expected = await Expected.of(store, counters.keys());
  if (end === 'close') {
    await store.close();
    return { rig, expected };
  }
  await until(() => store.health().anchorCommit === store.health().commit, 30 * limits.anchorInterval);
  const killed = asAfterKill(rig);
  await store.close();
  rig.remove();
  return { rig: killed, expected };
}

/** All accounts at first, fewer with each opening: older versions lie below newer ones. */
async function grow(
  store: Store,
  opening: number,
  accounts: number,
  counters: Map<string, number>,
): Promise<void> {
  const names = Array.from({ length: accounts }, (_, index) => `user${index}`);
  await Promise.all(
    names
      .filter((_, index) => index % opening === 0)
      .map(async (account) => {
        const counter = (counters.get(account) ?? 0) + 1;
        await put(store, account, counter);
        counters.set(account, counter);
      }),
  );
}

/** cp, not Node: this process must not open the LOCK of a database that it holds open. */
function asAfterKill(rig: StoreRig): StoreRig {
  const root = `${rig.root}-killed`;
  execFileSync('cp', ['-r', rig.root, root]);
  return StoreRig.at(root);
}
