import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSealer, type Sealer } from '../../../../daemon/sealing/seal.ts';
import { type LevelDb, LevelHandle } from '../../../../daemon/store/leveldb/leveldb.ts';
import { type MarkedRecord, openPair } from '../../../../daemon/store/sealed/reader.ts';
import { markerKey, recordKey } from '../../../../daemon/store/sealed/record-keys.ts';
import { RecordLoader } from '../../../../daemon/store/sealed/record-loader.ts';
import { decodeAccount, encodeAccount } from '../../../../daemon/store/sealed/records.ts';
import { keyringOf } from '../../../support/keys.ts';
import { recordOf } from '../../../support/store-records.ts';

const real = createSealer(keyringOf('k1'));
const plaintexts: Buffer[] = [];
const sealer: Sealer = {
  seal: real.seal,
  open: (...parts) => {
    const opened = real.open(...parts);
    plaintexts.push(opened.plaintext);
    return opened;
  },
};

function pairOf(account: string, version: number): MarkedRecord {
  const plaintext = encodeAccount(recordOf(account), account);
  return {
    account,
    record: sealer.seal('record', recordKey(account), version, plaintext),
    marker: sealer.seal('marker', markerKey(account), version, Buffer.alloc(0)),
  };
}

describe('opening record and marker', () => {
  it('wipes decrypted data, whether it can be decoded or not', () => {
    const pair = pairOf('alice', 7);
    assert.deepEqual(openPair(sealer, pair, decodeAccount), { value: recordOf('alice'), version: 7 });
    const refusal = { code: 'record-damaged' };
    assert.throws(
      () => openPair(sealer, { ...pair, marker: pairOf('alice', 8).marker }, decodeAccount),
      refusal,
    );
    const malformed = () => {
      throw new Error('it is not JSON');
    };
    assert.throws(() => openPair(sealer, pair, malformed), refusal);
    const records = plaintexts.filter(({ length }) => length > 0);
    assert.equal(records.length, 3);
    assert.ok(records.every((bytes) => bytes.every((byte) => byte === 0)));
  });
});

describe('reading record and marker of accounts', () => {
  it('is one request for all reads of a tick', async () => {
    const pairs = ['alice', 'bob'].map((name) => pairOf(name, 7));
    let requests = 0;
    const db = {
      async getMany(keys: readonly Buffer[]) {
        requests += 1;
        const entries = pairs.flatMap(({ account, record, marker }) => [
          [recordKey(account), record] as const,
          [markerKey(account), marker] as const,
        ]);
        return keys.map((key) => entries.find(([own]) => own.equals(key))?.[1]);
      },
    };
    const loader = new RecordLoader(new LevelHandle(db as unknown as LevelDb));
    const absent = { account: 'carol', record: undefined, marker: undefined };
    const wanted = ['alice', 'carol', 'bob'].map((name) => loader.load(name));
    assert.deepEqual(await Promise.all(wanted), [pairs[0], absent, pairs[1]]);
    assert.equal(requests, 1);
  });
});
