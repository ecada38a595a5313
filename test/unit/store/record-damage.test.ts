import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Store } from '../../../daemon/store/contract.ts';
import { type LevelDb, openLevel } from '../../../daemon/store/leveldb/leveldb.ts';
import { eventKey, markerKey, metaKey, recordKey } from '../../../daemon/store/sealed/record-keys.ts';
import { eventOf, put, recordOf } from '../../support/store-records.ts';
import { StoreRig } from '../../support/store-rig.ts';

/** Damage inside a database whose files are intact: what LevelDB can return for a bad block. */
describe('a damaged record', () => {
  let rig: StoreRig;
  let store: Store | undefined;
  beforeEach(async () => {
    rig = await StoreRig.create();
    const first = await rig.open();
    for (const name of ['alice', 'bob', 'carol']) await put(first, name, 1);
    await first.close();
  });
  afterEach(async () => {
    await store?.close();
    store = undefined;
    rig.remove();
  });

  async function behindItsBack(change: (db: LevelDb) => Promise<void>): Promise<void> {
    const db = await openLevel(rig.directory, false);
    await change(db);
    await db.close();
  }

  async function stored(key: Buffer): Promise<Buffer> {
    let value: Buffer | undefined;
    await behindItsBack(async (db) => {
      value = await db.get(key);
    });
    assert.ok(value);
    return value;
  }

  /** bob is refused in every way, alice is unaffected, and the scrub reports it. */
  async function onlyBobIsRefused(): Promise<void> {
    store = await rig.open();
    const refusal = { code: 'record-damaged', message: /bob/ };
    await assert.rejects(store.account('bob'), refusal);
    for (const version of [0, 1, 2, 3]) {
      const commit = { accounts: [{ account: 'bob', version, write: recordOf('bob', 9) }], events: [] };
      const outcome = await store.commit(commit).catch((error: { code?: string }) => error.code);
      assert.ok(outcome === 'record-damaged' || outcome === 'conflict', outcome);
    }
    const [alice, asked] = await Promise.allSettled([store.account('alice'), store.account('bob')]);
    assert.equal(alice.status, 'fulfilled');
    assert.equal(asked.status, 'rejected');
    const listed = await store.accounts({ limit: 9 });
    assert.deepEqual(
      listed.map(({ account, damaged }) => [account, damaged === undefined]),
      [
        ['alice', true],
        ['bob', false],
        ['carol', true],
      ],
    );
    await store.scrub();
    assert.ok(store.health().scrub.findings.some((finding) => finding.includes('bob')));
    assert.ok(!store.health().scrub.findings.some((finding) => finding.includes('alice')));
  }

  it('is refused, not absent, if only its version marker is left', async () => {
    await behindItsBack((db) => db.del(recordKey('bob')));
    await onlyBobIsRefused();
  });

  it('is refused if its version marker is missing', async () => {
    await behindItsBack((db) => db.del(markerKey('bob')));
    await onlyBobIsRefused();
  });

  it('is refused if an older version appears instead', async () => {
    const old = await stored(recordKey('bob'));
    const first = await rig.open();
    await put(first, 'bob', 2);
    await first.close();
    await behindItsBack((db) => db.put(recordKey('bob'), old));
    await onlyBobIsRefused();
  });

  it('is refused under an older version marker', async () => {
    const old = await stored(markerKey('bob'));
    const first = await rig.open();
    await put(first, 'bob', 2);
    await first.close();
    await behindItsBack((db) => db.put(markerKey('bob'), old));
    await onlyBobIsRefused();
  });

  it('is refused if record and marker belong to another account', async () => {
    const [record, marker] = [await stored(recordKey('alice')), await stored(markerKey('alice'))];
    await behindItsBack((db) =>
      db.batch([
        { type: 'put', key: recordKey('bob'), value: record },
        { type: 'put', key: markerKey('bob'), value: marker },
      ]),
    );
    store = await rig.open();
    await assert.rejects(store.account('bob'), { code: 'record-damaged', message: /bob/ });
  });

  it('with one changed byte is refused', async () => {
    const value = await stored(recordKey('bob'));
    value.writeUInt8(value.readUInt8(40) ^ 1, 40);
    await behindItsBack((db) => db.put(recordKey('bob'), value));
    store = await rig.open();
    await assert.rejects(store.account('bob'), { code: 'record-damaged', message: /authentication tag/ });
  });

  it('is noticed by the count if record and marker are both missing', async () => {
    await behindItsBack((db) =>
      db.batch([recordKey('bob'), markerKey('bob')].map((key) => ({ type: 'del', key }))),
    );
    store = await rig.open();
    await store.scrub();
    assert.match(store.health().scrub.findings.join(), /holds 3 accounts, but there are 2/);
  });

  it('metadata of the store, restored to an earlier version, makes the store invalid', async () => {
    const old = await stored(metaKey);
    const first = await rig.open();
    await put(first, 'bob', 2);
    await first.close();
    await behindItsBack((db) => db.put(metaKey, old));
    await assert.rejects(rig.open(), { code: 'store-anchor', message: /is at commit 3.*was at 4/ });
  });

  it('in the audit trail appears as a separate event, and the scrub reports it', async () => {
    const moved = await stored(eventKey(1));
    await behindItsBack((db) =>
      db.batch([
        { type: 'put', key: eventKey(2), value: moved },
        { type: 'del', key: eventKey(3) },
      ]),
    );
    store = await rig.open();
    await store.commit({ accounts: [], events: [eventOf('alice')] });
    const events = await store.events({ limit: 9, forward: true });
    assert.deepEqual(
      events.map(({ seq, reason }) => [seq, reason]),
      [
        [1, 'factor'],
        [2, 'event-damaged'],
        [3, 'event-missing'],
        [4, 'factor'],
      ],
    );
    await store.scrub();
    assert.deepEqual(store.health().scrub.findings, [
      'Audit event 2 is damaged.',
      'Audit event 3 is missing.',
    ]);
  });

  it('in a table that goes bad while the store is open is found by the scrub', async () => {
    store = await rig.open();
    const table = rig.file(/\.ldb$/);
    const bytes = readFileSync(table);
    bytes.writeUInt8(bytes.readUInt8(60) ^ 1, 60);
    writeFileSync(table, bytes);
    await store.scrub();
    assert.match(store.health().scrub.findings.join(), /table \d+\.ldb cannot be trusted: the checksum/);
  });
});
