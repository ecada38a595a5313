import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '../../../../daemon/limits.ts';
import { createSealer } from '../../../../daemon/sealing/seal.ts';
import { type LevelDb, LevelHandle } from '../../../../daemon/store/leveldb/leveldb.ts';
import type { Change } from '../../../../daemon/store/sealed/change.ts';
import { Committer } from '../../../../daemon/store/sealed/committer.ts';
import { encodeAccount, encodeEvent } from '../../../../daemon/store/sealed/records.ts';
import { keyringOf } from '../../../support/keys.ts';
import { eventOf, recordOf } from '../../../support/store-records.ts';

/** A database whose syncs end when the test says so. */
class SlowDb {
  readonly values = new Map<string, Buffer>();
  readonly syncs: { done: () => void; fail: (error: Error) => void }[] = [];

  getSync(key: Buffer): Buffer | undefined {
    return this.values.get(key.toString('hex'));
  }

  batch() {
    const puts: [string, Buffer][] = [];
    return {
      put: (key: Buffer, value: Buffer) => puts.push([key.toString('hex'), value]),
      del: () => assert.fail('nothing is deleted here'),
      write: (options: { sync: boolean }) => {
        assert.equal(options.sync, true);
        return new Promise<void>((resolve, reject) => {
          this.syncs.push({
            done: () => {
              for (const [key, value] of puts) this.values.set(key, value);
              resolve();
            },
            fail: reject,
          });
        });
      },
    };
  }
}

function rig() {
  const db = new SlowDb();
  const reported: string[] = [];
  const sealer = createSealer(keyringOf('k1'));
  const meta = { storeId: '0'.repeat(32), commit: 0, accounts: 0, first: 1, last: 0 };
  const committer = new Committer(new LevelHandle(db as unknown as LevelDb), sealer, meta, {
    bounds: () => ({ keep: Number.POSITIVE_INFINITY, keepBytes: Number.POSITIVE_INFINITY }),
    durable: ({ commit }) => reported.push(`durable ${commit}`),
    failed: () => {
      reported.push('failed');
      committer.refuse(Object.assign(new Error('refused'), { code: 'store-unwritable' }));
    },
  });
  const submit = (change: Change): void => {
    committer.submit(change).then(
      (outcome) => reported.push(outcome),
      (error: { code?: string }) => reported.push(error.code ?? String(error)),
    );
  };
  return { db, reported, committer, submit };
}

function change(account: string, version = 0): Change {
  return {
    records: [{ name: account, version, write: encodeAccount(recordOf(account), account) }],
    events: [{ event: eventOf(account), bytes: encodeEvent(eventOf(account)) }],
  };
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

describe('group commit', () => {
  it('reports no result, success or conflict, before the commit batch is durable', async () => {
    const { db, reported, submit } = rig();
    for (let i = 0; i < 3; i += 1) submit(change('alice'));
    submit(change('bob'));
    await settle();
    assert.equal(db.syncs.length, 1, 'one sync for all of them');
    assert.deepEqual(reported, []);
    db.syncs[0]?.done();
    await settle();
    assert.deepEqual(reported, ['durable 2', 'committed', 'conflict', 'conflict', 'committed']);
  });

  it('reports how long the current write has taken, and nothing otherwise', async () => {
    const { db, committer, submit } = rig();
    assert.equal(committer.writingFor, undefined);
    submit(change('alice'));
    await settle();
    const first = committer.writingFor ?? -1;
    assert.ok(first >= 0);
    await settle();
    assert.ok((committer.writingFor ?? -1) > first, 'it grows');
    db.syncs[0]?.done();
    await settle();
    assert.equal(committer.writingFor, undefined);
    submit(change('bob'));
    await settle();
    db.syncs[1]?.fail(new Error('EIO'));
    await settle();
    assert.equal(committer.writingFor, undefined, 'a write that failed is over');
  });

  it('starts the next commit batch only after the previous one is durable, with everything that waits', async () => {
    const { db, reported, submit } = rig();
    submit(change('alice'));
    await settle();
    for (let i = 0; i < 50; i += 1) submit(change(`user${i}`));
    await settle();
    assert.equal(db.syncs.length, 1);
    db.syncs[0]?.done();
    await settle();
    assert.equal(db.syncs.length, 2);
    assert.deepEqual(reported, ['durable 1', 'committed']);
    db.syncs[1]?.done();
    await settle();
    assert.equal(reported.filter((what) => what === 'committed').length, 51);
  });

  it('includes a limited number in one sync', async () => {
    const { db, submit } = rig();
    for (let i = 0; i <= limits.commitsPerSync; i += 1) submit(change(`user${i}`));
    await settle();
    db.syncs[0]?.done();
    await settle();
    assert.equal(db.syncs.length, 2, 'one too many for one turn');
  });

  it('rejects everything of a failed commit batch, and everything that waits, and writes nothing afterwards', async () => {
    const { db, reported, submit } = rig();
    submit(change('alice'));
    submit(change('alice'));
    await settle();
    submit(change('bob'));
    db.syncs[0]?.fail(new Error('Input/output error'));
    await settle();
    submit(change('carol'));
    await settle();
    assert.equal(db.syncs.length, 1);
    assert.equal(reported[0], 'failed');
    assert.deepEqual(reported.slice(1), Array(4).fill('store-unwritable'));
  });
});
