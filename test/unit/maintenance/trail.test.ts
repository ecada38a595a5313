import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import type { TrailCheck } from '../../../daemon/store/contract.ts';
import { type LevelDb, openLevel } from '../../../daemon/store/leveldb/leveldb.ts';
import { eventKey, metaKey } from '../../../daemon/store/sealed/record-keys.ts';
import { backupBytes, repaired, restored } from '../../support/offline-work.ts';
import { put } from '../../support/store-records.ts';
import { StoreRig } from '../../support/store-rig.ts';

/** The chain of events continues through restores and repairs, in a segment that says so. */
let rig: StoreRig;
let backup: Buffer;
const everything = { scan: Number.POSITIVE_INFINITY };

beforeEach(async () => {
  rig = await StoreRig.create();
  const store = await rig.open();
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await put(store, name);
  backup = await backupBytes(rig, store);
  for (const name of ['g', 'h']) await put(store, name);
  await store.close();
});
afterEach(() => rig.remove());

interface Looked {
  readonly check: TrailCheck;
  readonly faults: readonly string[];
  readonly segments: readonly string[];
}

/** With one more event, which must follow the result. */
async function look(prune?: number): Promise<Looked> {
  const store = await rig.open();
  try {
    await put(store, 'a', 1);
    if (prune !== undefined) await store.pruneEvents({ before: 0, keep: prune });
    const check = await store.checkTrail(everything);
    await store.scrub();
    assert.deepEqual(store.health().scrub.findings, []);
    return {
      check,
      faults: check.findings.map(({ seq, fault }) => `${seq} ${fault}`),
      segments: check.segments.map(({ seq, reason }) => `${seq} ${reason}`),
    };
  } finally {
    await store.close();
  }
}

async function behindItsBack(change: (db: LevelDb) => Promise<void>): Promise<void> {
  const db = await openLevel(rig.directory, false);
  await change(db);
  await db.close();
}

async function damage(db: LevelDb, key: Buffer): Promise<void> {
  const value = await db.get(key);
  assert.ok(value);
  value.writeUInt8(value.readUInt8(value.length - 1) ^ 1, value.length - 1);
  await db.put(key, value);
}

test('a restore beside the newest store continues from its newest event', async () => {
  await restored(rig, backup);
  const { faults, segments, check } = await look();
  assert.deepEqual(faults, []);
  assert.deepEqual(segments, ['1 new-store', '9 restored']);
  assert.deepEqual([check.checked, check.unchained], [10, 0]);
});

test('a restore of only the backup continues from its newest event, and so does the next', async () => {
  await restored(rig, backup, { ignoreStore: true });
  await restored(rig, backup, { ignoreStore: true });
  const { faults, segments } = await look();
  assert.deepEqual(faults, []);
  assert.deepEqual(segments, ['1 new-store', '7 restored']);
});

test('a restore after all events were dropped continues after them', async () => {
  const store = await rig.open();
  await store.pruneEvents({ before: Number.MAX_SAFE_INTEGER, keep: 0 });
  await store.close();
  await restored(rig, backup);
  const { faults, segments, check } = await look();
  assert.deepEqual(faults, []);
  assert.deepEqual([segments, check.first], [['9 restored'], 9]);
});

test('a repair that lost no event leaves one chain', async () => {
  rmSync(rig.anchor);
  await repaired(rig);
  const { faults, segments } = await look();
  assert.deepEqual(faults, []);
  assert.deepEqual(segments, ['1 new-store', '9 repaired']);
});

test('a repair reports which events are lost, at both ends too, and nothing else is wrong', async () => {
  await behindItsBack(async (db) => {
    await db.del(eventKey(1));
    await damage(db, eventKey(4));
    await db.del(eventKey(8));
  });
  await repaired(rig);
  const { faults, segments, check } = await look();
  assert.deepEqual(faults, ['1 missing', '4 missing', '8 missing']);
  assert.deepEqual(segments, ['9 repaired']);
  assert.equal(check.unchained, 0);
  const again = await look(7);
  assert.deepEqual(again.faults, ['8 missing'], 'what stood before the oldest is what that one says');
});

test('a repair without the key of the chain keeps the events, and starts another', async () => {
  await behindItsBack((db) => damage(db, metaKey));
  await repaired(rig);
  const { faults, segments, check } = await look();
  assert.deepEqual(faults, []);
  assert.deepEqual([segments, check.unchained, check.chainedFrom], [['9 repaired'], 8, 9]);
});
