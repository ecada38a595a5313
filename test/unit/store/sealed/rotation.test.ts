import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { withNewKey, withoutKey } from '../../../../daemon/client/master-key-file.ts';
import { createLog } from '../../../../daemon/lib/log.ts';
import { loadKeyring } from '../../../../daemon/sealing/keyring.ts';
import { claimedKey } from '../../../../daemon/sealing/seal.ts';
import { emptyRecord } from '../../../../daemon/store/contract.ts';
import type { LevelStore } from '../../../../daemon/store/leveldb/level-store.ts';
import { openLevel } from '../../../../daemon/store/leveldb/leveldb.ts';
import { recordKey } from '../../../../daemon/store/sealed/record-keys.ts';
import { createRotation } from '../../../../daemon/store/sealed/rotation.ts';
import { until } from '../../../support/rig/commands.ts';
import { StoreRig } from '../../../support/store-rig.ts';

/** Re-encryption with another master key, during commits, and after a crash. */
let rig: StoreRig;
const now = 1_700_000_000_000;
const log = createLog(() => undefined, false);
const put = (store: LevelStore, account: string, version: number, created = now) =>
  store.commit({
    accounts: [{ account, version, write: emptyRecord(account, created) }],
    events: [{ kind: 'store', outcome: 'done', at: now, account, reason: 'put' }],
  });

beforeEach(async () => {
  rig = await StoreRig.create();
  const store = await rig.open();
  for (let index = 0; index < 300; index += 1) await put(store, `user${index}`, 0);
  await store.close();
});
afterEach(() => rig.remove());

const load = () => loadKeyring({ path: rig.key });
const rotateFile = () => writeFileSync(rig.key, withNewKey(readFileSync(rig.key, 'utf8')));

async function keysIn(store: LevelStore): Promise<ReadonlySet<string | undefined>> {
  const snapshot = await store.snapshot();
  const keys = new Set<string | undefined>();
  for await (const page of snapshot.entries) for (const [, value] of page) keys.add(claimedKey(value));
  await snapshot.close();
  return keys;
}

async function rotated(store: LevelStore, keyring: ReturnType<typeof load>): Promise<void> {
  const rotation = createRotation({ store, keyring, resealOthers: () => undefined, log });
  rotation.start();
  await until('it is sealed anew', () => rotation.state().kind !== 'running');
  assert.equal(rotation.state().kind, 'done', JSON.stringify(rotation.state()));
}

test('all entries, during commits; then the old key can be removed', async () => {
  const keyring = load();
  const store = await rig.open({ keyring });
  const [old = ''] = keyring.ids;
  const hash = keyring.keyedHash('recovery').of(old, Buffer.from('salt'), 'key');
  rotateFile();
  keyring.adopt(load());
  assert.notEqual(keyring.current, old);
  const work = rotated(store, keyring);
  for (let index = 0; index < 300; index += 3) {
    const { version } = await store.account(`user${index}`);
    assert.equal(
      await put(store, `user${index}`, version, now + 1),
      'committed',
      'nobody has to decide again',
    );
  }
  await work;
  assert.deepEqual([...(await keysIn(store))], [keyring.current]);
  await store.scrub();
  assert.deepEqual(store.health().scrub.findings, []);
  await store.close();

  writeFileSync(rig.key, withoutKey(readFileSync(rig.key, 'utf8'), old));
  const alone = load();
  const again = await rig.open({ keyring: alone });
  for (let index = 0; index < 300; index += 1) {
    const { value } = await again.account(`user${index}`);
    assert.equal(value?.created, index % 3 === 0 ? now + 1 : now, 'what was written meanwhile stays');
  }
  assert.deepEqual(alone.keyedHash('recovery').of(old, Buffer.from('salt'), 'key'), hash);
  await again.close();
});

test('an entry changed since it was read is skipped', async () => {
  const keyring = load();
  const store = await rig.open({ keyring });
  const snapshot = await store.snapshot();
  const entries: (readonly [Buffer, Buffer])[] = [];
  for await (const page of snapshot.entries) entries.push(...page);
  await snapshot.close();
  const { version } = await store.account('user1');
  await put(store, 'user1', version, now + 5);
  const gone = await store.account('user2');
  await store.commit({ accounts: [{ account: 'user2', version: gone.version, write: null }], events: [] });
  await store.pruneEvents({ before: now + 1, keep: 10 });
  rotateFile();
  keyring.adopt(load());
  for (let at = 0; at < entries.length; at += 64) await store.reseal(entries.slice(at, at + 64));
  assert.equal((await store.account('user1')).value?.created, now + 5);
  assert.equal((await store.account('user2')).value, undefined);
  await store.scrub();
  assert.deepEqual(store.health().scrub.findings, []);
  await store.close();
});

test('an interrupted rotation continues after the next start', async () => {
  const keyring = load();
  const store = await rig.open({ keyring });
  rotateFile();
  keyring.adopt(load());
  const rotation = createRotation({ store, keyring, resealOthers: () => undefined, log });
  rotation.start();
  await until('it has begun', () => {
    const state = rotation.state();
    return state.kind === 'done' || (state.kind === 'running' && state.read > 0);
  });
  await rotation.stop();
  await store.close();
  const next = load();
  const again = await rig.open({ keyring: next });
  await rotated(again, next);
  assert.deepEqual([...(await keysIn(again))], [next.current]);
  await again.close();
});

test('a key never changes under the same id, and a missing one is reported', async () => {
  const keyring = load();
  const [id = ''] = keyring.ids;
  writeFileSync(rig.key, `${id} ${Buffer.alloc(32, 3).toString('base64')}\n`);
  assert.throws(() => keyring.adopt(load()), { code: 'store-key' });
});

test('the end of the first of two rotations is never reported as that of both', async () => {
  const keyring = load();
  const store = await rig.open({ keyring });
  rotateFile();
  keyring.adopt(load());
  const seen = new Set<string>();
  const slow = {
    snapshot: () => store.snapshot(),
    resealAnchor: () => store.resealAnchor(),
    reseal: async (...words: Parameters<LevelStore['reseal']>) => {
      await store.reseal(...words);
      const { kind } = rotation.state();
      const keys = kind === 'done' ? await keysIn(store) : new Set([keyring.current]);
      if (keys.size > 1 || !keys.has(keyring.current)) seen.add(kind);
    },
  };
  const rotation = createRotation({ store: slow, keyring, resealOthers: () => undefined, log });
  rotation.start();
  await until('it has begun', () => {
    const state = rotation.state();
    return state.kind === 'running' && state.read > 0;
  });
  rotateFile();
  keyring.adopt(load());
  rotation.start();
  await until('both are through', () => rotation.state().kind !== 'running');
  assert.deepEqual([...seen], [], 'a key that is in use could have been removed meanwhile');
  assert.deepEqual([...(await keysIn(store))], [keyring.current]);
  await rotation.stop();
  await store.close();
});

test('an entry with a damaged key id does not stop the others', async () => {
  const db = await openLevel(rig.directory, false);
  const key = recordKey('user150');
  const value = await db.get(key);
  assert.ok(value !== undefined);
  value.writeUInt8(value.readUInt8(3) ^ 1, 3);
  await db.put(key, value, { sync: true });
  await db.close();
  const keyring = load();
  const store = await rig.open({ keyring });
  const [old = ''] = keyring.ids;
  rotateFile();
  keyring.adopt(load());
  const rotation = createRotation({ store, keyring, resealOthers: () => undefined, log });
  rotation.start();
  await until('it is through', () => rotation.state().kind !== 'running');
  assert.match(JSON.stringify(rotation.state()), /1 entries are damaged/);
  assert.ok(!(await keysIn(store)).has(old), 'all others are sealed anew');
  await rotation.stop();
  await store.close();
});

test('a rotation is not done before all entries are re-encrypted', async () => {
  const keyring = load();
  const store = await rig.open({ keyring });
  rotateFile();
  keyring.adopt(load());
  const resealOthers = () => {
    throw new Error('no room for the last good configuration');
  };
  const rotation = createRotation({ store, keyring, resealOthers, log });
  rotation.start();
  await until('it is through', () => rotation.state().kind !== 'running');
  assert.match(JSON.stringify(rotation.state()), /failed.*no room/);
  await rotation.stop();
  await store.close();
});
