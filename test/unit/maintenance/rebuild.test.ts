import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { emptyRecord } from '../../../daemon/store/contract.ts';
import type { LevelStore } from '../../../daemon/store/leveldb/level-store.ts';
import { backupBytes, restored } from '../../support/offline-work.ts';
import { put, recordOf } from '../../support/store-records.ts';
import { StoreRig } from '../../support/store-rig.ts';

/** Accounts and factors after a restore beside a store that may not be the newest. */
let rig: StoreRig;
let backup: Buffer;

async function write(store: LevelStore, account: string, record = emptyRecord(account, 1)): Promise<void> {
  const { version } = await store.account(account);
  assert.equal(
    await store.commit({ accounts: [{ account, version, write: record }], events: [] }),
    'committed',
  );
}

beforeEach(async () => {
  rig = await StoreRig.create();
  const store = await rig.open();
  await write(store, 'later');
  await put(store, 'gone');
  await put(store, 'same');
  backup = await backupBytes(rig, store);
  await store.commit({
    accounts: [{ account: 'fresh', version: 0, write: recordOf('fresh', 7) }],
    events: [],
  });
  await write(store, 'later', recordOf('later', 7));
  await write(store, 'gone');
  await store.close();
});
afterEach(() => rig.remove());

async function factorsOf(account: string): Promise<readonly string[]> {
  const store = await rig.open();
  try {
    const { value } = await store.account(account);
    return (value?.factors ?? []).map(({ kind, enabled }) => `${kind} ${enabled ? 'on' : 'off'}`);
  } finally {
    await store.close();
  }
}

for (const [what, before] of [
  ['the newest store', () => undefined],
  ['one whose anchor is gone', () => rmSync(rig.anchor)],
] as const)
  test(`beside ${what} no account loses the factors that were added since`, async () => {
    before();
    await restored(rig, backup);
    assert.deepEqual(await factorsOf('fresh'), ['hotp on'], 'the account has its factor');
    assert.deepEqual(await factorsOf('later'), ['hotp on']);
    assert.deepEqual(await factorsOf('gone'), ['hotp off'], 'removed since');
    assert.deepEqual(await factorsOf('same'), ['hotp on']);
  });

test('a store older than the backup restores no account', async () => {
  const old = rig.copy();
  const store = await rig.open();
  const { version } = await store.account('fresh');
  await store.commit({ accounts: [{ account: 'fresh', version, write: null }], events: [] });
  await write(store, 'later');
  const newer = await backupBytes(rig, store);
  await store.close();
  try {
    await restored(old, newer);
    rig.remove();
    rig = old.copy();
    assert.deepEqual(await factorsOf('fresh'), [], 'whatever its anchor says of it');
  } finally {
    old.remove();
  }
});
