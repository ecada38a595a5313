import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { loadKeyring } from '../../../../daemon/sealing/keyring.ts';
import { createSealer, type Sealer } from '../../../../daemon/sealing/seal.ts';
import type { Store, TrailCheck } from '../../../../daemon/store/contract.ts';
import { type LevelDb, openLevel } from '../../../../daemon/store/leveldb/leveldb.ts';
import {
  chained,
  chainHash,
  genesisHash,
  newChain,
  splitChained,
  withNewSegment,
} from '../../../../daemon/store/sealed/chain.ts';
import { type Meta, openMeta, sealMeta } from '../../../../daemon/store/sealed/meta.ts';
import { eventKey, metaKey } from '../../../../daemon/store/sealed/record-keys.ts';
import { encodeEvent } from '../../../../daemon/store/sealed/records.ts';
import { eventOf } from '../../../support/store-records.ts';
import { StoreRig } from '../../../support/store-rig.ts';

/** Threat: an attacker with the master key. Without it a changed event is only a damaged one. */
let rig: StoreRig;
let store: Store | undefined;
let sealer: Sealer;

beforeEach(async () => {
  rig = await StoreRig.create();
  sealer = createSealer(loadKeyring({ path: rig.key }));
});
afterEach(async () => {
  await store?.close();
  store = undefined;
  rig.remove();
});

async function add(...names: readonly string[]): Promise<void> {
  store ??= await rig.open();
  for (const name of names) await store.commit({ accounts: [], events: [eventOf(name)] });
}

async function behindItsBack(change: (db: LevelDb) => Promise<void>): Promise<void> {
  await store?.close();
  store = undefined;
  const db = await openLevel(rig.directory, false);
  await change(db);
  await db.close();
}

const ten = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
const everything = { scan: Number.POSITIVE_INFINITY };
async function check(options: { readonly from?: number; readonly scan: number } = everything) {
  store ??= await rig.open();
  return store.checkTrail(options);
}
const faultsOf = ({ findings }: TrailCheck) => findings.map(({ seq, fault }) => `${seq} ${fault}`);

/** Decrypts an event as root could, and encrypts the changed event for a position. */
async function moved(db: LevelDb, from: number, to: number, edit = (plaintext: Buffer) => plaintext) {
  const { version, plaintext } = sealer.open('audit', eventKey(from), await read(db, eventKey(from)));
  return sealer.seal('audit', eventKey(to), version, edit(plaintext));
}

async function read(db: LevelDb, key: Buffer): Promise<Buffer> {
  const value = await db.get(key);
  assert.ok(value);
  return value;
}

async function editMeta(db: LevelDb, edit: (meta: Meta) => Meta): Promise<void> {
  await db.put(metaKey, sealMeta(sealer, edit(openMeta(sealer, await read(db, metaKey)))));
}

describe('an untouched audit trail', () => {
  it('is one chain, verified in one stretch or in many, and reports where it begins', async () => {
    await add(...ten);
    const whole = await check();
    assert.deepEqual(
      { faults: whole.faults, checked: whole.checked, unchained: whole.unchained, from: whole.chainedFrom },
      { faults: 0, checked: 10, unchained: 0, from: 1 },
    );
    assert.deepEqual(
      whole.segments.map(({ seq, segment, reason }) => [seq, segment, reason]),
      [[1, 1, 'new-store']],
    );
    assert.match(whole.head ?? '', /^[0-9a-f]{64}$/);
    assert.equal(whole.head, store?.health().trail?.head);
    let checked = 0;
    for (let from: number | undefined = 1; from !== undefined; ) {
      const part: TrailCheck = await check({ from, scan: 3 });
      assert.equal(part.faults, 0);
      checked += part.checked;
      from = part.next;
    }
    assert.equal(checked, 10);
  });

  it('is one chain after parallel commits, a restart and one more', async () => {
    store = await rig.open();
    const events = [eventOf('x'), eventOf('y')];
    await Promise.all(Array.from({ length: 64 }, () => store?.commit({ accounts: [], events })));
    await store.close();
    store = await rig.open();
    await add('z');
    const { faults, checked, segments } = await check();
    assert.deepEqual([faults, checked, segments.length], [0, 129, 1]);
  });

  it('is empty at first, and valid', async () => {
    const { faults, checked } = await check();
    assert.deepEqual([faults, checked], [0, 0]);
  });

  it('returns the chain hash of an event noted elsewhere', async () => {
    await add(...ten);
    const head = (await check()).head;
    assert.equal((await store?.checkTrail({ ...everything, linkOf: 10 }))?.link, head);
    assert.notEqual((await store?.checkTrail({ ...everything, linkOf: 9 }))?.link, head);
  });
});

describe('manipulations of the audit trail are found', () => {
  beforeEach(() => add(...ten));

  it('a missing event, and one encrypted with another key', async () => {
    await behindItsBack((db) =>
      db.batch([
        { type: 'del', key: eventKey(4) },
        { type: 'put', key: eventKey(7), value: Buffer.from('nothing that was sealed here') },
      ]),
    );
    assert.deepEqual(faultsOf(await check()), ['4 missing', '7 damaged']);
  });

  it('a changed event', async () => {
    await behindItsBack(async (db) => {
      const edit = (plaintext: Buffer) =>
        Buffer.from(plaintext.toString('latin1').replace('"account":"d"', '"account":"x"'), 'latin1');
      await db.put(eventKey(4), await moved(db, 4, 4, edit));
    });
    assert.deepEqual(faultsOf(await check()), ['5 broken']);
  });

  it('exchanged events', async () => {
    await behindItsBack(async (db) => {
      const [four, seven] = [await moved(db, 7, 4), await moved(db, 4, 7)];
      await db.batch([
        { type: 'put', key: eventKey(4), value: four },
        { type: 'put', key: eventKey(7), value: seven },
      ]);
    });
    assert.deepEqual(faultsOf(await check()), ['4 broken', '5 broken', '7 broken', '8 broken']);
  });

  it('an event removed and the gap closed', async () => {
    await behindItsBack(async (db) => {
      for (let seq = 4; seq < 10; seq += 1) await db.put(eventKey(seq), await moved(db, seq + 1, seq));
      await db.del(eventKey(10));
      await editMeta(db, (meta) => ({ ...meta, last: 9 }));
    });
    assert.equal(faultsOf(await check())[0], '4 broken');
  });

  it('the newest events removed', async () => {
    await behindItsBack(async (db) => {
      await db.batch([
        { type: 'del', key: eventKey(9) },
        { type: 'del', key: eventKey(10) },
      ]);
    });
    assert.deepEqual(faultsOf(await check()), ['9 missing', '10 missing']);
    await behindItsBack((db) => editMeta(db, (meta) => ({ ...meta, last: 8 })));
    assert.deepEqual(faultsOf(await check()), ['8 head']);
  });

  it('the beginning removed, as if it had been dropped', async () => {
    await behindItsBack(async (db) => {
      for (const seq of [1, 2, 3]) await db.del(eventKey(seq));
      await editMeta(db, (meta) => ({ ...meta, first: 4 }));
    });
    assert.deepEqual(faultsOf(await check()), ['4 beginning']);
  });

  it('an event appended after the newest', async () => {
    await behindItsBack(async (db) => db.put(eventKey(11), await moved(db, 10, 11)));
    assert.deepEqual(faultsOf(await check()), ['11 beyond']);
  });

  it('a new chain started in the middle', async () => {
    await behindItsBack(async (db) => {
      const fresh = chained(newChain('restored'), 6, encodeEvent(eventOf('x'))).plaintext;
      await db.put(eventKey(6), await moved(db, 6, 6, () => fresh));
    });
    assert.deepEqual(faultsOf(await check()), ['6 broken', '7 broken']);
  });

  it('an event without a chain hash among those that have one', async () => {
    await behindItsBack(async (db) => {
      await db.put(eventKey(6), await moved(db, 6, 6, (plaintext) => splitChained(plaintext).json));
    });
    // The next event carries the chain hash of the original one.
    assert.deepEqual(faultsOf(await check()), ['6 no-link', '7 broken']);
  });

  it('in every stretch, however the audit trail is split', async () => {
    await behindItsBack(async (db) => db.put(eventKey(5), await moved(db, 6, 5)));
    for (let scan = 1; scan <= 10; scan += 1) {
      const found: string[] = [];
      for (let from: number | undefined = 1; from !== undefined; ) {
        const part: TrailCheck = await check({ from, scan });
        found.push(...faultsOf(part));
        from = part.next;
      }
      assert.deepEqual(found, ['5 broken', '6 broken'], `${scan} at a time`);
    }
  });
});

describe('the beginning', () => {
  it('moves on when events are dropped, and stays verifiable', async () => {
    await add(...ten);
    assert.equal(await store?.pruneEvents({ before: 0, keep: 6 }), 4);
    assert.deepEqual(faultsOf(await check()), []);
    await behindItsBack(async (db) => {
      await db.del(eventKey(5));
      await editMeta(db, (meta) => ({ ...meta, first: 6 }));
    });
    assert.deepEqual(faultsOf(await check()), ['6 broken']);
  });

  it('moves on while others commit', async () => {
    await add(...ten);
    const commits = Array.from({ length: 64 }, () =>
      store?.commit({ accounts: [], events: [eventOf('x'), eventOf('y')] }),
    );
    await Promise.all([...commits, store?.pruneEvents({ before: 0, keep: 3 })]);
    await store?.pruneEvents({ before: 0, keep: 3 });
    assert.deepEqual(faultsOf(await check()), []);
    await store?.pruneEvents({ before: Number.MAX_SAFE_INTEGER, keep: 0 });
    await add('k', 'l');
    const { checked, faults } = await check();
    assert.deepEqual([checked, faults], [2, 0]);
  });

  it('moves on when the audit trail is pruned', async () => {
    await add(...ten);
    const { bytes = 0 } = store?.health().trail ?? {};
    const dropped = (await store?.pruneEvents({ before: 0, keep: 99, keepBytes: bytes / 2 })) ?? 0;
    assert.ok(dropped >= 4 && dropped <= 6, `${dropped}`);
    assert.ok((store?.health().trail?.bytes ?? 0) <= bytes / 2);
    assert.deepEqual(faultsOf(await check()), []);
    await store?.pruneEvents({ before: Number.MAX_SAFE_INTEGER, keep: 0 });
    assert.equal(store?.health().trail?.bytes, 0);
  });
});

describe('a segment', () => {
  /** As left by a version without chains. */
  async function forget(upTo: number): Promise<void> {
    await behindItsBack(async (db) => {
      for (let seq = 1; seq <= upTo; seq += 1)
        await db.put(eventKey(seq), await moved(db, seq, seq, (plaintext) => splitChained(plaintext).json));
      await editMeta(db, ({ chain: _, eventBytes: __, ...meta }) => meta);
    });
  }

  it('begins where an earlier version ended, and says so', async () => {
    await add(...ten);
    await forget(10);
    await add('k', 'l');
    const { faults, unchained, chainedFrom, segments } = await check();
    assert.deepEqual([faults, unchained, chainedFrom], [0, 10, 11]);
    assert.deepEqual(
      segments.map(({ seq, reason }) => [seq, reason]),
      [[11, 'earlier-version']],
    );
    const events = await store?.events({ limit: 99, forward: true });
    assert.deepEqual(events?.map(({ account }) => account).join(''), 'abcdefghijkl');
  });

  it('begins after a restore, and continues from what precedes it', async () => {
    await add(...ten);
    await behindItsBack((db) =>
      editMeta(db, (meta) =>
        meta.chain ? { ...meta, chain: withNewSegment(meta.chain, 'restored') } : meta,
      ),
    );
    await add('k', 'l');
    const { faults, segments } = await check();
    assert.equal(faults, 0);
    assert.deepEqual(
      segments.map(({ seq, segment, reason }) => [seq, segment, reason]),
      [
        [1, 1, 'new-store'],
        [11, 2, 'restored'],
      ],
    );
  });

  it('reveals nothing of an event through its chain hash without the key', () => {
    const [one, other] = [newChain('new-store'), newChain('new-store')];
    const { plaintext } = chained(one, 1, encodeEvent(eventOf('a')));
    assert.notEqual(chainHash(one.key, 1, plaintext), chainHash(other.key, 1, plaintext));
    assert.notEqual(chainHash(one.key, 1, plaintext), chainHash(one.key, 2, plaintext));
    assert.equal(splitChained(plaintext).mark?.before, genesisHash);
  });
});
