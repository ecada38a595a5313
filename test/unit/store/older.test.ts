import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { sealSchema } from '../../../daemon/sealing/seal.ts';
import { openLevel } from '../../../daemon/store/leveldb/leveldb.ts';
import { metaKey, recordKey } from '../../../daemon/store/sealed/record-keys.ts';

import { vectors } from '../../support/native.ts';
import { StoreRig } from '../../support/store-rig.ts';

/**
 * Data of an older Sallyport: the bytes of a store with the accounts alice and bob, as written by the last version that
 * stored no uids.
 */
const { files } = JSON.parse(readFileSync(join(vectors, 'store-of-schema-1.json'), 'utf8')) as {
  files: Record<string, string>;
};

describe('a store of schema 1', () => {
  let rig: StoreRig;
  beforeEach(() => {
    rig = StoreRig.at(mkdtempSync(join(tmpdir(), 'sallyport-store-')));
    for (const [name, bytes] of Object.entries(files)) {
      const path = join(rig.root, name);
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writeFileSync(path, Buffer.from(bytes, 'base64'), { mode: 0o600 });
    }
  });
  afterEach(() => rig.remove());

  async function schemaOf(key: Buffer): Promise<number | undefined> {
    const db = await openLevel(rig.directory, false);
    const stored = await db.get(key);
    await db.close();
    return stored?.[0];
  }

  it('is opened, and its records are read unchanged: without a uid', async () => {
    const store = await rig.open();
    const { value: alice } = await store.account('alice');
    assert.deepEqual(
      [alice?.uid, alice?.factors.map(({ kind, name }) => [kind, name]), alice?.exemption?.by],
      [undefined, [['totp', 'phone']], 'uid:0'],
    );
    assert.equal((await store.account('bob')).value?.graceStarted, 1_700_000_000_000);
    assert.equal((await store.events({ limit: 10 })).length, 2);
    await store.scrub();
    assert.deepEqual(store.health().scrub.findings, []);
    await store.close();
  });

  it('accepts records with a uid beside those without, and continues its audit trail', async () => {
    let store = await rig.open();
    const { value, version } = await store.account('alice');
    assert.ok(value);
    const write = { ...value, uid: 1000 };
    const event = {
      kind: 'login',
      outcome: 'success',
      reason: 'verified',
      at: 1_700_000_000_001,
      account: 'alice',
    } as const;
    assert.equal(
      await store.commit({ accounts: [{ account: 'alice', version, write }], events: [event] }),
      'committed',
    );
    await store.close();
    store = await rig.open();
    assert.deepEqual((await store.account('alice')).value, write);
    assert.equal((await store.account('bob')).value?.uid, undefined);
    const trail = await store.checkTrail({ scan: 100 });
    assert.deepEqual([trail.last, trail.faults], [3, 0]);
    await store.scrub();
    assert.deepEqual(store.health().scrub.findings, []);
    await store.close();
    assert.deepEqual(
      [await schemaOf(metaKey), await schemaOf(recordKey('alice')), await schemaOf(recordKey('bob'))],
      [sealSchema, sealSchema, 1],
    );
  });
});
