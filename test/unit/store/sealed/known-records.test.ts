import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '../../../../daemon/limits.ts';
import { createSealer, type Sealer } from '../../../../daemon/sealing/seal.ts';
import type { Store } from '../../../../daemon/store/contract.ts';
import { KnownRecords } from '../../../../daemon/store/sealed/known-records.ts';
import { markerKey, recordKey } from '../../../../daemon/store/sealed/record-keys.ts';
import { keyringOf } from '../../../support/keys.ts';
import { MemoryDb } from '../../../support/memory-db.ts';
import { SealedMemoryStore } from '../../../support/sealed-memory-store.ts';
import { counterOf, recordOf } from '../../../support/store-records.ts';

/** Counts reads of records, and can delay them. */
class WatchedDb extends MemoryDb {
  reads = 0;
  held: Promise<void> | undefined;
  fails = false;

  override getSync(key: Buffer): Buffer | undefined {
    this.reads += 1;
    return super.getSync(key);
  }

  override async getMany(keys: Buffer[]): Promise<(Buffer | undefined)[]> {
    this.reads += keys.length;
    const values = await super.getMany(keys);
    await this.held;
    return values;
  }

  override batch() {
    const batch = super.batch();
    const write = async (): Promise<void> => {
      if (this.fails) throw new Error('no space left');
      await batch.write({ sync: true });
    };
    return { ...batch, write };
  }

  /** Reads from now on. */
  async readBy(work: () => Promise<unknown>): Promise<number> {
    const before = this.reads;
    await work();
    return this.reads - before;
  }
}

const put = (store: Store, account: string, version: number, counter: number) =>
  store.commit({ accounts: [{ account, version, write: recordOf(account, counter) }], events: [] });

async function rig() {
  const db = new WatchedDb();
  const store = new SealedMemoryStore(db);
  assert.equal(await put(store, 'alice', 0, 1), 'committed');
  return { db, store };
}

/** One bit of the record on disk is changed, without the store's knowledge. */
function damage(db: MemoryDb, account: string): void {
  const value = db.getSync(recordKey(account));
  assert.ok(value);
  value.writeUInt8(value.readUInt8(40) ^ 1, 40);
  db.apply([{ key: recordKey(account), value }]);
}

describe('a cached record', () => {
  it('is read neither for a login nor for the versions of its commit', async () => {
    const { db, store } = await rig();
    const read = await db.readBy(async () => {
      for (let counter = 2; counter < 5; counter += 1) {
        const { value, version } = await store.account('alice');
        assert.equal(counterOf(value), counter - 1);
        assert.equal(await put(store, 'alice', version, counter), 'committed');
        assert.equal(await put(store, 'alice', version, 9), 'conflict', 'the version before');
        assert.equal(await put(store, 'alice', 0, 9), 'conflict', 'it exists');
        assert.equal(await put(store, 'alice', version + 2, 9), 'conflict', 'a version to come');
      }
    });
    assert.equal(read, 0);
    const onDisk = new SealedMemoryStore(db);
    assert.equal(counterOf((await onDisk.account('alice')).value), 4);
  });

  it('is the same for a YubiKey counter, which is never taken for an account', async () => {
    const { db, store } = await rig();
    const token = { token: `id:${'c'.repeat(12)}`, lastPress: 5, spent: [] };
    const tokens = [{ version: 0, write: token }];
    assert.equal(await store.commit({ accounts: [], tokens, events: [] }), 'committed');
    const read = await db.readBy(async () => {
      assert.deepEqual((await store.token(token.token)).value, token);
      assert.equal(await store.commit({ accounts: [], tokens, events: [] }), 'conflict');
    });
    assert.equal(read, 0);
  });

  it('cannot be changed by those who share it', async () => {
    const { store } = await rig();
    const { value } = await store.account('alice');
    assert.ok(value);
    assert.throws(() => Object.assign(value, { created: 0 }), TypeError);
    assert.throws(() => Object.assign(value.lock, { any: 0 }), TypeError);
    assert.throws(() => Object.assign(value.factors[0] ?? {}, { counter: 0 }), TypeError);
  });

  it('that was removed is absent, and its last version writes nothing', async () => {
    const { store } = await rig();
    const { version } = await store.account('alice');
    const removal = { accounts: [{ account: 'alice', version, write: null }], events: [] };
    assert.equal(await store.commit(removal), 'committed');
    assert.deepEqual(await store.account('alice'), { value: undefined, version: 0 });
    assert.equal(await put(store, 'alice', version, 9), 'conflict');
  });

  it('is never replaced by an older one from a read that ends after a commit', async () => {
    for (const write of [recordOf('alice', 2), null]) {
      const { db } = await rig();
      const store = new SealedMemoryStore(db);
      let release = (): void => {};
      db.held = new Promise((resolve) => {
        release = resolve;
      });
      const late = store.account('alice');
      assert.equal(
        await store.commit({ accounts: [{ account: 'alice', version: 1, write }], events: [] }),
        'committed',
      );
      release();
      const before = await late;
      const now = await store.account('alice');
      assert.equal(counterOf(now.value), write === null ? undefined : 2);
      assert.equal(
        await put(store, 'alice', before.version, 9),
        before.version === now.version ? 'committed' : 'conflict',
      );
    }
  });

  it('is dropped when the state of the disk becomes unknown', async () => {
    const { db, store } = await rig();
    const again = () => db.readBy(() => store.account('alice'));
    assert.equal(await again(), 0);
    const entries = [recordKey('alice'), markerKey('alice')].map((key) => [key, db.getSync(key)] as const);
    await store.reseal(
      entries.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const])),
    );
    assert.equal(await again(), 2, 'new master keys');
    assert.equal(await again(), 0);
    db.fails = true;
    await assert.rejects(put(store, 'alice', 1, 2), { code: 'store-unwritable' });
    assert.equal(await again(), 2, 'a failed write');
    assert.equal(await again(), 2, 'and nothing is known until the store was reopened');
    await store.close();
    await assert.rejects(store.account('alice'), { code: 'store-closed' });
  });

  it('with damaged entries is found by the scrub, and refused afterwards', async () => {
    const { db, store } = await rig();
    damage(db, 'alice');
    assert.equal(counterOf((await store.account('alice')).value), 1);
    await store.scrub();
    assert.match(store.health().scrub.findings.join(), /alice/);
    await assert.rejects(store.account('alice'), { code: 'record-damaged', message: /alice/ });
    await put(store, 'alice', 1, 2);
  });

  it('leaves no secret in intermediate buffers', async () => {
    const real = createSealer(keyringOf('k1'));
    const plaintexts: Buffer[] = [];
    const sealer: Sealer = {
      seal(purpose, key, version, plaintext) {
        if (purpose === 'record') plaintexts.push(plaintext);
        return real.seal(purpose, key, version, plaintext);
      },
      open: real.open,
    };
    const store = new SealedMemoryStore(new MemoryDb(), sealer);
    assert.equal(await put(store, 'alice', 0, 1), 'committed');
    assert.equal(plaintexts.length, 1);
    assert.ok(plaintexts.every((bytes) => bytes.every((byte) => byte === 0)));
  });
});

describe('the cache', () => {
  const versioned = (account: string) => ({ value: recordOf(account), version: 1 });
  function known() {
    let now = 0;
    const records = new KnownRecords(() => now);
    const read = (name: string): void => records.settle(records.begin(name), versioned(name));
    const wait = (ms: number): void => {
      now += ms;
    };
    return { records, read, wait };
  }

  it('is read again after a while, however often it was written meanwhile', () => {
    const { records, read, wait } = known();
    read('alice');
    wait(limits.knownRecordsFor - 1);
    records.written('alice', 2, recordOf('alice', 2));
    assert.equal(records.get('alice')?.version, 2);
    wait(1);
    assert.equal(records.get('alice'), undefined);
  });

  it('is bounded: the entry least recently written or read is dropped', () => {
    const { records, read } = known();
    for (let index = 0; index < limits.knownRecords; index += 1) read(`user${index}`);
    records.written('user0', 2, recordOf('user0'));
    read('one-more');
    assert.equal(records.get('user1'), undefined);
    assert.equal(records.get('user0')?.version, 2);
    assert.equal(records.get('user2')?.version, 1);
  });

  it('is empty while stopped, and afterwards', () => {
    const { records, read } = known();
    const reading = records.begin('alice');
    records.stop();
    read('bob');
    records.written('carol', 3, recordOf('carol'));
    records.resume();
    records.settle(reading, versioned('alice'));
    for (const name of ['alice', 'bob', 'carol']) assert.equal(records.get(name), undefined, name);
    read('alice');
    assert.equal(records.get('alice')?.version, 1);
  });
});
