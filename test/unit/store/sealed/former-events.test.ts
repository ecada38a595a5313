import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { loadKeyring } from '../../../../daemon/sealing/keyring.ts';
import { createSealer, type Sealer } from '../../../../daemon/sealing/seal.ts';
import type { Store } from '../../../../daemon/store/contract.ts';
import { openLevel } from '../../../../daemon/store/leveldb/leveldb.ts';
import { chained, genesisHash, splitChained } from '../../../../daemon/store/sealed/chain.ts';
import { openMeta, sealMeta } from '../../../../daemon/store/sealed/meta.ts';
import { eventKey, metaKey } from '../../../../daemon/store/sealed/record-keys.ts';
import { decodeEvent } from '../../../../daemon/store/sealed/records.ts';
import { eventOf } from '../../../support/store-records.ts';
import { StoreRig } from '../../../support/store-rig.ts';

/** Bytes as stored by a version with other names for kinds, reasons, fields and lock scopes. */
const rows: readonly (readonly [stored: string, read: object])[] = [
  [
    '{"kind":"enrol","outcome":"done","at":1700000000000,"account":"alice","reason":"given","factor":{"id":"f","kind":"bypass","name":"b"},"actor":"uid:0","until":1700000900000}',
    {
      kind: 'factor-added',
      outcome: 'done',
      at: 1_700_000_000_000,
      account: 'alice',
      reason: 'issued',
      factor: { id: 'f', kind: 'bypass', name: 'b' },
      actor: 'uid:0',
      until: 1_700_000_900_000,
    },
  ],
  [
    '{"kind":"login","outcome":"refused","at":1700000000001,"account":"alice","reason":"no-shape","service":"sshd","proven":true,"locked":"any"}',
    {
      kind: 'login',
      outcome: 'refused',
      at: 1_700_000_000_001,
      account: 'alice',
      reason: 'unknown-format',
      service: 'sshd',
      firstFactorVerified: true,
      locked: 'all',
    },
  ],
  [
    '{"kind":"login","outcome":"success","at":1700000000002,"account":"alice","reason":"verified","proven":true,"left":9}',
    {
      kind: 'login',
      outcome: 'success',
      at: 1_700_000_000_002,
      account: 'alice',
      reason: 'verified',
      firstFactorVerified: true,
      remaining: 9,
    },
  ],
];

const reasons: readonly (readonly [stored: string, read: string])[] = [
  ['no-shape', 'unknown-format'],
  ['none-fits', 'no-accepted-factor'],
  ['not-from-here', 'key-unavailable'],
  ['grace-over', 'grace-expired'],
  ['skip', 'rule-skip'],
  ['accept', 'ssh-key-accepted'],
  ['first-of-two', 'resync-required'],
  ['given', 'issued'],
  ['ended', 'revoked'],
  ['raised', 'counter-raised'],
];

describe('an event under former names', () => {
  for (const [stored, read] of rows)
    it(`is read under the current names: ${stored.slice(0, 30)}`, () =>
      assert.deepEqual(decodeEvent(Buffer.from(stored)), read));

  for (const [stored, read] of reasons)
    it(`reason ${stored} is ${read}`, () => {
      const event = { kind: 'login', outcome: 'refused', at: 1, account: 'a', reason: stored };
      assert.deepEqual(decodeEvent(Buffer.from(JSON.stringify(event))), { ...event, reason: read });
    });

  it('is read unchanged where no name has changed', () => {
    const event = {
      kind: 'login',
      outcome: 'observed',
      at: 1,
      account: 'left',
      reason: 'ask',
      would: 'skip',
    };
    assert.deepEqual(decodeEvent(Buffer.from(JSON.stringify(event))), event);
  });

  it('is rejected with a name that never existed', () => {
    for (const wrong of ['{"kind":"enroll"}', '[]', 'null', '{"proven":1}'])
      assert.throws(() => decodeEvent(Buffer.from(wrong)), { code: 'record-damaged' });
  });
});

describe('an audit trail that begins with events under former names', () => {
  let rig: StoreRig;
  let sealer: Sealer;
  let store: Store | undefined;

  beforeEach(async () => {
    rig = await StoreRig.create();
    sealer = createSealer(loadKeyring({ path: rig.key }));
    store = await rig.open();
    for (const _ of rows) await store.commit({ accounts: [], events: [eventOf('x')] });
    await store.close();
    const db = await openLevel(rig.directory, false);
    const meta = openMeta(sealer, (await db.get(metaKey)) ?? Buffer.alloc(0));
    assert.ok(meta.chain);
    let chain = { ...meta.chain, segment: 0, head: genesisHash, begin: 'new-store' as const };
    let eventBytes = 0;
    for (const [index, [stored]] of rows.entries()) {
      const next = chained(chain, index + 1, Buffer.from(stored));
      const key = eventKey(index + 1);
      const value = sealer.seal('audit', key, index + 1, next.plaintext);
      eventBytes += key.length + value.length;
      await db.put(key, value);
      chain = next.chain as typeof chain;
    }
    await db.put(metaKey, sealMeta(sealer, { ...meta, chain, eventBytes }));
    await db.close();
    store = await rig.open();
    await store.commit({ accounts: [], events: [eventOf('after')] });
  });
  afterEach(async () => {
    await store?.close();
    rig.remove();
  });

  it('is valid, and continues with the next event', async () => {
    const found = await store?.checkTrail({ scan: Number.POSITIVE_INFINITY });
    assert.deepEqual([found?.faults, found?.checked, found?.unchained], [0, 4, 0]);
    const events = await store?.events({ forward: true, limit: 9 });
    assert.deepEqual(
      events?.slice(0, 3),
      rows.map(([, read], index) => ({ ...read, seq: index + 1 })),
    );
  });

  it('is broken if an event was stored again under the current names', async () => {
    await store?.close();
    const db = await openLevel(rig.directory, false);
    const { version, plaintext } = sealer.open(
      'audit',
      eventKey(2),
      (await db.get(eventKey(2))) ?? Buffer.alloc(0),
    );
    const { json } = splitChained(plaintext);
    const renamed = Buffer.from(JSON.stringify(decodeEvent(json)));
    const head = plaintext.subarray(0, plaintext.length - json.length);
    await db.put(eventKey(2), sealer.seal('audit', eventKey(2), version, Buffer.concat([head, renamed])));
    await db.close();
    store = await rig.open();
    const found = await store.checkTrail({ scan: Number.POSITIVE_INFINITY });
    assert.deepEqual(
      found.findings.map(({ seq, fault }) => `${seq} ${fault}`),
      ['3 broken'],
    );
  });
});
