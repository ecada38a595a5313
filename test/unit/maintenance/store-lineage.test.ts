import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import type { AuditEvent } from '../../../daemon/audit/event.ts';
import type { AccountRecord } from '../../../daemon/store/contract.ts';
import { backupBytes, restored } from '../../support/offline-work.ts';
import { eventOf, recordOf } from '../../support/store-records.ts';
import { StoreRig } from '../../support/store-rig.ts';

/**
 * The anchor shows whether a store is the newest of its own line; whether it knows all codes used after a backup is a
 * stronger condition.
 */
const rigs: StoreRig[] = [];
/** Two events are never the same, as in practice. */
let moment = 1_700_000_000_000;
function happened(account: string): AuditEvent {
  moment += 1;
  return eventOf(account, moment);
}
afterEach(() => {
  for (const rig of rigs.splice(0)) rig.remove();
});

const keysOf = (rig: StoreRig) => rig.options().keyring;

async function machine(): Promise<StoreRig> {
  const rig = await StoreRig.create();
  rigs.push(rig);
  return rig;
}

/** As in a snapshot of the whole machine. */
function putBack(rig: StoreRig): StoreRig {
  const copy = rig.copy();
  rigs.push(copy);
  return copy;
}

/** Uses the given number of four recovery keys. */
async function spend(rig: StoreRig, keys: number, account = 'mail'): Promise<Buffer> {
  const store = await rig.open();
  try {
    const { version, value } = await store.account(account);
    const write = value === undefined ? paper(account) : value;
    const factors = write.factors.map((factor) =>
      factor.kind === 'recovery'
        ? { ...factor, hashes: factor.hashes.map((hash, index) => (index < keys ? null : hash)) }
        : factor,
    );
    const accounts = [{ account, version, write: { ...write, factors } }];
    assert.equal(await store.commit({ accounts, events: [happened(account)] }), 'committed');
    return await backupBytes(rig, store, true);
  } finally {
    await store.close();
  }
}

function paper(account: string): AccountRecord {
  const set = {
    kind: 'recovery',
    keyId: 'k',
    salt: 'AAAA',
    hashes: ['AAAA', 'BBBB', 'CCCC', 'DDDD'],
  } as const;
  return {
    ...recordOf(account),
    factors: [{ id: 'paper', name: 'paper', created: 1, enabled: true, ...set }],
  };
}

/** How many of the keys are accepted. */
async function left(rig: StoreRig, account = 'mail'): Promise<number> {
  const store = await rig.open();
  try {
    const { value } = await store.account(account);
    return (value?.factors ?? []).flatMap((factor) =>
      factor.kind === 'recovery' ? factor.hashes.filter((hash) => hash !== null) : [],
    ).length;
  } finally {
    await store.close();
  }
}

test('beside the store that continued from it, a backup restores the keys that are unused there', async () => {
  const rig = await machine();
  const backup = await spend(rig, 1);
  await spend(rig, 2);
  const { done } = await restored(rig, backup);
  assert.equal(done.storeWasNewest, true);
  assert.equal(await left(rig), 2);
});

test('beside a machine restored to before the backup, it is unknown which keys were used', async () => {
  const rig = await machine();
  await spend(rig, 0);
  const before = putBack(rig);
  const backup = await spend(rig, 1);
  await spend(rig, 3);
  const { done, noted } = await restored(before, backup);
  assert.equal(done.storeWasNewest, false);
  assert.equal(await left(before), 0);
  assert.deepEqual(
    noted.map(({ note }) => note),
    ['recovery-void'],
  );
});

test('beside a machine that was restored and then continued, it is unknown too', async () => {
  const rig = await machine();
  await spend(rig, 0);
  const before = putBack(rig);
  const backup = await spend(rig, 1);
  await spend(rig, 3);
  for (let commits = 0; commits < 5; commits += 1) await spend(before, 0);
  await restored(before, backup);
  assert.equal(await left(before), 0);
});

test('elsewhere all keys are void, and later use there is known at the next restore', async () => {
  const here = await machine();
  await spend(here, 0);
  const backup = await spend(here, 1);
  const there = await machine();
  await restored(there, backup, { oldKeys: keysOf(here) });
  assert.equal(await left(there), 0);
  const store = await there.open();
  const { version } = await store.account('mail');
  const renewed = paper('mail');
  await store.commit({
    accounts: [{ account: 'mail', version, write: renewed }],
    events: [happened('mail')],
  });
  await store.close();
  const { done } = await restored(there, backup, { oldKeys: keysOf(here) });
  assert.equal(done.storeWasNewest, true);
});

test('back on the original machine, use elsewhere meanwhile is unknown', async () => {
  const here = await machine();
  const moved = await spend(here, 0);
  const there = await machine();
  await restored(there, moved, { oldKeys: keysOf(here) });
  const store = await there.open();
  const { version } = await store.account('mail');
  await store.commit({
    accounts: [{ account: 'mail', version, write: paper('mail') }],
    events: [happened('mail')],
  });
  const backup = await backupBytes(there, store);
  await store.close();
  await spend(there, 2);
  await restored(here, backup, { oldKeys: keysOf(there) });
  assert.equal(await left(here), 0);
});
