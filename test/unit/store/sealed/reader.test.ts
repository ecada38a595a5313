import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { limits } from '../../../../daemon/limits.ts';
import { createMasterKey, loadKeyring } from '../../../../daemon/sealing/keyring.ts';
import { createSealer, type Sealer } from '../../../../daemon/sealing/seal.ts';
import { emptyRecord } from '../../../../daemon/store/contract.ts';
import { type LevelDb, LevelHandle } from '../../../../daemon/store/leveldb/leveldb.ts';
import { createPairOpener, type MarkedRecord } from '../../../../daemon/store/sealed/reader.ts';
import { markerKey, recordKey } from '../../../../daemon/store/sealed/record-keys.ts';
import { RecordLoader } from '../../../../daemon/store/sealed/record-loader.ts';
import { encodeAccount } from '../../../../daemon/store/sealed/records.ts';

let directory: string;
let sealer: Sealer;
/** How often something was really opened. */
let opened = 0;

before(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-reader-'));
  createMasterKey(path.join(directory, 'master.key'));
  const real = createSealer(loadKeyring({ path: path.join(directory, 'master.key') }));
  sealer = {
    seal: real.seal,
    open: (...parts) => {
      opened += 1;
      return real.open(...parts);
    },
  };
});
after(() => rmSync(directory, { recursive: true, force: true }));

function pairOf(account: string, version: number): MarkedRecord {
  const plaintext = encodeAccount(emptyRecord(account, 1), account);
  return {
    account,
    record: sealer.seal('record', recordKey(account), version, plaintext),
    marker: sealer.seal('marker', markerKey(account), version, Buffer.alloc(0)),
  };
}

describe('an opened record', () => {
  it('stands for the same bytes alone', () => {
    const open = createPairOpener(sealer, 4);
    const pair = pairOf('alice', 7);
    const first = open(pair);
    opened = 0;
    assert.deepEqual(open({ ...pair, record: Buffer.from(pair.record ?? []) }), first);
    assert.equal(opened, 0);
    for (const place of ['record', 'marker'] as const) {
      const bytes = Buffer.from(pair[place] ?? []);
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      assert.throws(() => open({ ...pair, [place]: bytes }), { code: 'record-damaged' }, place);
      assert.throws(() => open({ ...pair, [place]: undefined }), { code: 'record-damaged' }, place);
    }
    assert.deepEqual(open({ ...pair, record: undefined, marker: undefined }).value, undefined);
    assert.equal(open(pairOf('alice', 8)).version, 8);
  });

  it('is nobody else’s, and no more than so many are known', () => {
    const open = createPairOpener(sealer, 2);
    const pair = pairOf('alice', 7);
    open(pair);
    assert.throws(() => open({ ...pair, account: 'bob' }), { code: 'record-damaged' });
    for (const name of ['bob', 'carol']) open(pairOf(name, 7));
    opened = 0;
    open(pair);
    assert.equal(opened, 2, 'both places anew');
  });
});

/** A database that says how it was asked. */
function loaderOn(answers: { now: MarkedRecord; snapshot: MarkedRecord; takes?: number }) {
  const asked: string[] = [];
  let clock = 0;
  const placeOf = (pair: MarkedRecord, key: Buffer) =>
    key.equals(recordKey(pair.account)) ? pair.record : pair.marker;
  const db = {
    getSync(key: Buffer) {
      asked.push('now');
      clock += answers.takes ?? 0;
      return placeOf(answers.now, key);
    },
    async getMany(keys: readonly Buffer[]) {
      asked.push('threads');
      return keys.map((key) => placeOf(answers.snapshot, key));
    },
  };
  const handle = new LevelHandle(db as unknown as LevelDb);
  const wait = (ms: number) => {
    clock += ms;
  };
  return { loader: new RecordLoader(handle, () => clock), asked, wait };
}

describe('reading both places of an account', () => {
  it('reads on threads first, those of one tick in one go, and at once a moment later', async () => {
    const pair = pairOf('alice', 7);
    const { loader, asked, wait } = loaderOn({ now: pair, snapshot: pair });
    assert.deepEqual(await Promise.all([loader.load('alice'), loader.load('alice')]), [pair, pair]);
    assert.deepEqual(asked.splice(0), ['threads'], 'both in one go');
    assert.deepEqual(await loader.load('alice'), pair);
    assert.deepEqual(asked.splice(0), ['now', 'now']);
    wait(limits.readLately);
    await loader.load('alice');
    assert.deepEqual(asked, ['threads'], 'it may lie in memory no more');
  });

  it('counts places that do not agree only from one snapshot', async () => {
    const old = pairOf('alice', 7);
    const young = pairOf('alice', 8);
    const none = { account: 'alice', record: undefined, marker: undefined };
    for (const now of [
      { ...young, record: old.record },
      { ...young, marker: old.marker },
      { ...young, record: undefined },
      { ...young, marker: undefined },
    ]) {
      const { loader, asked } = loaderOn({ now, snapshot: young });
      await loader.load('alice');
      asked.length = 0;
      assert.deepEqual(await loader.load('alice'), young);
      assert.deepEqual(asked, ['now', 'now', 'threads']);
    }
    const { loader } = loaderOn({ now: none, snapshot: young });
    await loader.load('alice');
    assert.deepEqual(await loader.load('alice'), none);
  });

  it('goes back to the threads for a while once a read was slow, before the second place of it', async () => {
    const pair = pairOf('alice', 7);
    const { loader, asked, wait } = loaderOn({ now: pair, snapshot: pair, takes: limits.slowRead + 1 });
    await loader.load('alice');
    asked.length = 0;
    assert.deepEqual(await loader.load('alice'), pair);
    assert.deepEqual(asked.splice(0), ['now', 'threads']);
    await loader.load('alice');
    assert.deepEqual(asked.splice(0), ['threads']);
    wait(limits.slowReadsFor);
    await loader.load('alice');
    assert.deepEqual(asked, ['now', 'threads']);
  });
});
