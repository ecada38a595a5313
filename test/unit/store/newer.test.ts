import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { sealSchema } from '../../../daemon/sealing/seal.ts';
import { openLevel } from '../../../daemon/store/leveldb/leveldb.ts';
import { markerKey, metaKey, recordKey } from '../../../daemon/store/sealed/record-keys.ts';
import { put } from '../../support/store-records.ts';
import { StoreRig } from '../../support/store-rig.ts';

/** After a downgrade the program reads what the newer version wrote. */
describe('data of a newer Sallyport', () => {
  let rig: StoreRig;
  beforeEach(async () => {
    rig = await StoreRig.create();
    const store = await rig.open();
    for (const name of ['alice', 'bob']) await put(store, name, 1);
    await store.close();
  });
  afterEach(() => rig.remove());

  /** The first byte of a stored value is its schema. */
  async function makeNewer(key: Buffer): Promise<void> {
    const db = await openLevel(rig.directory, false);
    const stored = await db.get(key);
    assert.ok(stored);
    const newer = Buffer.from(stored);
    newer.writeUInt8(sealSchema + 1, 0);
    await db.put(key, newer, { sync: true });
    await db.close();
  }

  it('in the metadata of the store: the store is not opened, and nothing is changed', async () => {
    await makeNewer(metaKey);
    const before = rig.fingerprint();
    await assert.rejects(rig.open(), { code: 'store-schema', message: /newer/ });
    assert.equal(rig.fingerprint(), before);
  });

  it('in the anchor: the store is not opened, and nothing is changed', async () => {
    const bytes = readFileSync(rig.anchor);
    for (const at of [0, bytes.length / 2]) {
      bytes.writeUInt8(2, at + 4);
      createHash('sha256')
        .update(bytes.subarray(at, at + 72))
        .digest()
        .copy(bytes, at + 72, 0, 8);
    }
    writeFileSync(rig.anchor, bytes);
    const before = rig.fingerprint();
    await assert.rejects(rig.open(), { code: 'store-schema', message: /newer/ });
    assert.equal(rig.fingerprint(), before);
  });

  for (const [what, key] of [
    ['record', recordKey('bob')],
    ['marker', markerKey('bob')],
  ] as const)
    it(`in the ${what} of an account: that account is refused, also for changes; the others are served`, async () => {
      await makeNewer(key);
      const store = await rig.open();
      try {
        const refusal = { code: 'store-schema', message: /newer/ };
        await assert.rejects(store.account('bob'), refusal);
        await assert.rejects(put(store, 'bob', 9), refusal);
        await put(store, 'alice', 2);
      } finally {
        await store.close();
      }
    });
});
