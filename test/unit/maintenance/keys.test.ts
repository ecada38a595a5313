import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { withNewKey, withoutKey } from '../../../daemon/client/master-key-file.ts';
import { createLog } from '../../../daemon/lib/log.ts';
import { loadKeyring } from '../../../daemon/sealing/keyring.ts';
import { claimedKey } from '../../../daemon/sealing/seal.ts';
import { createRotation } from '../../../daemon/store/sealed/rotation.ts';
import { backupBytes, repaired, restored } from '../../support/offline-work.ts';
import { until } from '../../support/rig/commands.ts';
import { put } from '../../support/store-records.ts';
import { StoreRig } from '../../support/store-rig.ts';

/** Backups and master keys of different times. */
let rig: StoreRig;
const salt = Buffer.from('salt');

beforeEach(async () => {
  rig = await StoreRig.create();
});
afterEach(() => rig.remove());

const load = () => loadKeyring({ path: rig.key });

async function rotate(): Promise<void> {
  writeFileSync(rig.key, withNewKey(readFileSync(rig.key, 'utf8')));
  const keyring = load();
  const store = await rig.open({ keyring });
  const log = createLog(() => undefined, false);
  const rotation = createRotation({ store, keyring, resealOthers: () => undefined, log });
  rotation.start();
  await until('all is sealed anew', () => rotation.state().kind === 'done');
  await store.close();
}

function forget(id: string): void {
  writeFileSync(rig.key, withoutKey(readFileSync(rig.key, 'utf8'), id));
}

async function write(account: string): Promise<Buffer> {
  const store = await rig.open();
  await put(store, account);
  const backup = await backupBytes(rig, store, true);
  await store.close();
  return backup;
}

/** Opens with only the current key, and knows under which keys recovery keys were hashed. */
async function look(accounts: number, hashes: ReadonlyMap<string, Buffer>): Promise<void> {
  const keyring = load();
  assert.equal(keyring.ids.length, 1);
  const store = await rig.open({ keyring });
  try {
    assert.equal((await store.accounts({ limit: 10 })).length, accounts);
    for (const [id, hash] of hashes)
      assert.deepEqual(keyring.keyedHash('recovery').of(id, salt, 'key'), hash, 'sets stay usable');
    await store.scrub();
    assert.deepEqual(store.health().scrub.findings, []);
    assert.equal((await store.checkTrail({ scan: Number.POSITIVE_INFINITY })).faults, 0);
    const snapshot = await store.snapshot();
    for await (const page of snapshot.entries)
      for (const [, value] of page) assert.equal(claimedKey(value), keyring.current);
    await snapshot.close();
  } finally {
    await store.close();
  }
}

test('a backup from before two rotations is restored with only the newest key', async () => {
  const hashes = new Map<string, Buffer>();
  const backup = await write('one');
  for (let times = 0; times < 2; times += 1) {
    const { current, keyedHash } = load();
    hashes.set(current, keyedHash('recovery').of(current, salt, 'key'));
    await rotate();
    forget(current);
  }
  await look(1, hashes);
  await restored(rig, backup);
  await look(1, hashes);
  await repaired(rig);
  await restored(rig, backup, { ignoreStore: true });
  await look(1, new Map([...hashes].slice(0, 1)));
});

test('a backup from the middle of a rotation is restored after it', async () => {
  const { current, keyedHash } = load();
  const hashes = new Map([[current, keyedHash('recovery').of(current, salt, 'key')]]);
  await write('one');
  await rotate();
  writeFileSync(rig.key, withNewKey(readFileSync(rig.key, 'utf8')));
  const backup = await write('two');
  await rotate();
  for (const id of load().ids.slice(1)) forget(id);
  await restored(rig, backup);
  await look(2, hashes);
});
