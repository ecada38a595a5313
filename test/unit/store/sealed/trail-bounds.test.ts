import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { AuditEvent } from '../../../../daemon/audit/event.ts';
import { limits } from '../../../../daemon/limits.ts';
import { loadKeyring } from '../../../../daemon/sealing/keyring.ts';
import { createSealer } from '../../../../daemon/sealing/seal.ts';
import type { Store, TrailCheck } from '../../../../daemon/store/contract.ts';
import { type LevelDb, openLevel } from '../../../../daemon/store/leveldb/leveldb.ts';
import { splitChained } from '../../../../daemon/store/sealed/chain.ts';
import { heldEvents, openMeta } from '../../../../daemon/store/sealed/meta.ts';
import {
  eventKey,
  eventRange,
  metaKey,
  overShareRange,
  seqOf,
} from '../../../../daemon/store/sealed/record-keys.ts';
import type { TrailBounds } from '../../../../daemon/store/sealed/trail-pruning.ts';
import { backupBytes, repaired, restored } from '../../../support/offline-work.ts';
import { fc } from '../../../support/property.ts';
import { eventOf } from '../../../support/store-records.ts';
import { StoreRig } from '../../../support/store-rig.ts';

const everything = { scan: Number.POSITIVE_INFINITY };
const keep = 640;
/** Of one account in a day, of `keep`. */
const share = keep * limits.trailShare.one;

let rig: StoreRig;
let store: Store;
let bounds: TrailBounds;
let reported: string[];

beforeEach(async () => {
  bounds = { keep, keepBytes: Number.POSITIVE_INFINITY };
  reported = [];
  rig = await StoreRig.create();
  store = await open();
});
afterEach(async () => {
  await store.close();
  rig.remove();
});

function open(): Promise<Store> {
  return rig.open({ bounds: () => bounds, overShare: (party) => reported.push(party) });
}

async function write(...events: readonly AuditEvent[]): Promise<void> {
  for (let at = 0; at < events.length; at += 50)
    await store.commit({ accounts: [], events: events.slice(at, at + 50) });
}
const many = (account: string, count: number, changes: Partial<AuditEvent> = {}) =>
  Array.from({ length: count }, () => ({ ...eventOf(account), ...changes }));
const accountsOf = async (account?: string) => {
  const wanted = { limit: 1_000_000, ...(account === undefined ? {} : { account }) };
  return (await store.events(wanted)).map((event) => event.account);
};
const faultsOf = ({ findings }: TrailCheck) => findings.map(({ seq, fault }) => `${seq} ${fault}`);
/** The history of users who log in now and then: each is within its share. */
const people = Array.from({ length: 25 }, (_, each) => `person${each}`);
const history = () => people.flatMap((name) => many(name, 4));

describe('the size of the audit trail', () => {
  it('is bounded by number during writes', async () => {
    let most = 0;
    store.follow(() => {
      most = Math.max(most, store.health().trail?.held ?? 0);
    });
    await write(...people.flatMap((name) => many(name, 200)));
    const { trail } = store.health();
    // Additions of one commit batch exceed it until the next.
    assert.ok(most <= keep + 50, `${most} events`);
    assert.ok((trail?.held ?? 0) <= keep + 50);
    assert.ok((await accountsOf()).length >= keep * 0.9);
    assert.deepEqual(faultsOf(await store.checkTrail(everything)), []);
  });

  it('is bounded in bytes during writes, however many write at once', async () => {
    bounds = { keep: Number.POSITIVE_INFINITY, keepBytes: 100_000 };
    let most = 0;
    store.follow(() => {
      most = Math.max(most, store.health().trail?.bytes ?? 0);
    });
    const commit = (each: number) =>
      store.commit({ accounts: [], events: [eventOf(people[each % 25] ?? 'a')] });
    for (let round = 0; round < 8; round += 1)
      await Promise.all(Array.from({ length: 400 }, (_, each) => commit(each)));
    const turn = limits.commitsPerSync * 300;
    assert.ok(most <= 100_000 + turn, `${most} bytes`);
    const check = await store.checkTrail(everything);
    assert.deepEqual(faultsOf(check), []);
    assert.ok((check.dropped?.size ?? 0) + (check.dropped?.share ?? 0) > 1_000);
  });
});

describe('an account that writes endlessly', () => {
  it('displaces no events of others, and is named in the log', async () => {
    await write(...history());
    await write(...many('mallory', 3_000));
    const kept = await accountsOf();
    for (const name of people) assert.equal(kept.filter((account) => account === name).length, 4, name);
    assert.deepEqual(reported, ['mallory']);
    // It still has space itself, and keeps its newest events.
    const own = kept.filter((account) => account === 'mallory').length;
    assert.ok(own > keep / 12, `${own} events of its own`);
    const check = await store.checkTrail(everything);
    assert.deepEqual(faultsOf(check), []);
    assert.ok(check.inGaps >= 2_000 && check.gaps <= 3, `${check.inGaps} in ${check.gaps} gaps`);
    assert.ok((check.dropped?.share ?? 0) >= 2_000);
    assert.equal(check.dropped?.newest, eventOf('mallory').at);
  });

  it('displaces no events of accounts that write in between', async () => {
    for (const name of people) await write(...many('mallory', 100), ...many(name, 4));
    const kept = await accountsOf();
    for (const name of people) assert.equal(kept.filter((account) => account === name).length, 4, name);
    assert.deepEqual(faultsOf(await store.checkTrail(everything)), []);
  });

  it('nor by its own changes, nor without a verified factor', async () => {
    await write(...history());
    await write(...many('mallory', 2_000, { kind: 'factor-renamed', outcome: 'done', actor: 'uid:1001' }));
    await write(...many('person1', 2_000, { firstFactorVerified: false, source: '192.0.2.7' }));
    await write(...many('person2', 2_000, { firstFactorVerified: false, actor: 'uid:1002' }));
    assert.deepEqual(reported.toSorted(), ['192.0.2.7', 'uid:1001', 'uid:1002']);
    for (const name of people) {
      const own = (await store.events({ limit: 100_000, account: name })).filter(
        ({ firstFactorVerified: proven }) => proven !== false,
      );
      assert.equal(own.length, 4, name);
    }
    assert.deepEqual(faultsOf(await store.checkTrail(everything)), []);
  });

  it('many parties without a verified factor share one part in all', async () => {
    await write(...history());
    for (let each = 0; each < 3_000; each += 50) {
      const flood = Array.from({ length: 50 }, (_, one) => ({
        ...eventOf('person3'),
        firstFactorVerified: false,
        source: `10.0.${each / 50}.${one}`,
      }));
      await write(...flood);
    }
    for (const name of people) {
      const own = await store.events({ limit: 100_000, account: name });
      assert.equal(own.filter(({ firstFactorVerified: proven }) => proven !== false).length, 4, name);
    }
  });

  it('is treated like others within its share: the oldest events are dropped first', async () => {
    await write(...many('early', Math.floor(share) - 1));
    for (let each = 0; each < 100; each += 1) await write(...many(`later${each}`, 7));
    assert.deepEqual(await accountsOf('early'), []);
    const check = await store.checkTrail(everything);
    assert.equal(check.gaps, 0);
    assert.deepEqual(faultsOf(check), []);
  });
});

describe('an audit trail with gaps', () => {
  beforeEach(async () => {
    for (const name of people) await write(...many('mallory', 60), ...many(name, 4));
  });

  it('is read in both directions, in pages and from every position, each event once', async () => {
    const all = await store.events({ limit: 100_000, forward: true });
    const seqs = all.map(({ seq }) => seq);
    assert.equal(new Set(seqs).size, seqs.length);
    assert.equal(all.length, store.health().trail?.held);
    assert.deepEqual((await store.events({ limit: 100_000 })).map(({ seq }) => seq).toReversed(), seqs);
    for (const forward of [true, false]) {
      const found: number[] = [];
      let from: number | undefined = forward ? 1 : undefined;
      do {
        const place: { from?: number } = from === undefined ? {} : { from };
        const page = await store.search({ ...place, forward, fits: () => true, limit: 7, scan: 11 });
        found.push(...page.events.map(({ seq }) => seq));
        from = page.next;
      } while (from !== undefined);
      assert.deepEqual(forward ? found : found.toReversed(), seqs);
    }
    const { last } = store.health().events;
    for (let from = 1; from <= last; from += 7) {
      const [next] = await store.events({ from, limit: 1, forward: true });
      assert.equal(
        next?.seq,
        seqs.find((seq) => seq >= from),
      );
    }
  });

  it('is one chain, from whatever position it is verified', async () => {
    const whole = await store.checkTrail(everything);
    assert.deepEqual(faultsOf(whole), []);
    assert.ok(whole.gaps > 1);
    for (let from = 1; from <= whole.last; from += 3) {
      const part = await store.checkTrail({ from, scan: 5 });
      assert.deepEqual(faultsOf(part), [], `from ${from}`);
    }
    assert.equal((await store.checkTrail({ ...everything, linkOf: whole.last })).link, whole.head);
    await store.scrub();
    assert.deepEqual(store.health().scrub.findings, []);
  });

  it('continues after a restart, and is finally dropped from its beginning', async () => {
    await store.close();
    store = await open();
    await write(...history());
    assert.deepEqual(faultsOf(await store.checkTrail(everything)), []);
    await store.pruneEvents({ before: 0, keep: 10 });
    assert.equal((await accountsOf()).length, 10);
    assert.deepEqual(faultsOf(await store.checkTrail(everything)), []);
    await store.pruneEvents({ before: Number.MAX_SAFE_INTEGER, keep: 10 });
    assert.deepEqual(await accountsOf(), []);
    await write(...many('a', 3));
    assert.deepEqual(faultsOf(await store.checkTrail(everything)), []);
  });

  it('stays one through a backup, a restore and a repair', async () => {
    const events = await store.events({ limit: 100_000, forward: true });
    const backup = await backupBytes(rig, store as Parameters<typeof backupBytes>[1]);
    await store.close();
    await restored(rig, backup, { ignoreStore: true });
    await repaired(rig);
    store = await open();
    const after = await store.events({ limit: 100_000, forward: true });
    assert.deepEqual(after.slice(0, events.length), events);
    assert.deepEqual(faultsOf(await store.checkTrail(everything)), []);
    await asItSays();
  });

  it('reports a gap that was enlarged or moved', async () => {
    const sealer = createSealer(loadKeyring({ path: rig.key }));
    await store.close();
    const db = await openLevel(rig.directory, false);
    const gaps = await gapsIn(db);
    const [one] = gaps;
    assert.ok(one);
    const key = eventKey(one.seq);
    const { version, plaintext } = sealer.open('audit', key, one.value);
    const edited = { ...JSON.parse(plaintext.subarray(1).toString()), to: one.to + 2 };
    const bytes = Buffer.concat([plaintext.subarray(0, 1), Buffer.from(JSON.stringify(edited))]);
    await db.put(key, sealer.seal('audit', key, version, bytes));
    await db.del(eventKey(one.to + 1));
    await db.del(eventKey(one.to + 2));
    await db.close();
    store = await open();
    assert.deepEqual(faultsOf(await store.checkTrail(everything)), [`${one.to + 3} broken`]);
  });

  async function gapsIn(db: LevelDb) {
    const sealer = createSealer(loadKeyring({ path: rig.key }));
    const found: { seq: number; to: number; value: Buffer }[] = [];
    for await (const [key, value] of db.iterator(eventRange)) {
      const { gap } = splitChained(sealer.open('audit', key, value).plaintext);
      if (gap) found.push({ seq: seqOf(key), to: gap.to, value });
    }
    return found;
  }
});

/** The state that the store reports equals the content. */
async function asItSays(): Promise<void> {
  await store.close();
  const sealer = createSealer(loadKeyring({ path: rig.key }));
  const db = await openLevel(rig.directory, false);
  const meta = openMeta(sealer, (await db.get(metaKey)) as Buffer);
  let bytes = 0;
  let held = 0;
  let inGaps = 0;
  const over: number[] = [];
  let overBytes = 0;
  for await (const [key, value] of db.iterator(eventRange)) {
    const size = key.length + value.length;
    bytes += size;
    const { gap, mark } = splitChained(sealer.open('audit', key, value).plaintext);
    if (gap) inGaps += gap.to - seqOf(key) + 1;
    else held += 1;
    if (mark?.overShare !== true) continue;
    over.push(seqOf(key));
    overBytes += size;
  }
  const indexed = (await db.keys(overShareRange).all()).map(seqOf);
  await db.close();
  assert.deepEqual(
    { bytes: meta.eventBytes, held: heldEvents(meta), inGaps: meta.inGaps ?? 0 },
    { bytes, held, inGaps },
  );
  assert.deepEqual(meta.overShare ?? { count: 0, bytes: 0 }, { count: over.length, bytes: overBytes });
  assert.deepEqual(indexed, over);
  store = await open();
}

describe('in any order of writes and drops', () => {
  it('the chain is valid, and the reported state of the audit trail is correct', async () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('write' as const),
        who: fc.integer({ min: 0, max: 9 }),
        count: fc.integer({ min: 1, max: 60 }),
      }),
      fc.record({ kind: fc.constant('flood' as const), count: fc.integer({ min: 1, max: 150 }) }),
      fc.record({ kind: fc.constant('bounds' as const), keep: fc.integer({ min: 5, max: 300 }) }),
      fc.record({ kind: fc.constant('prune' as const), keep: fc.integer({ min: 0, max: 100 }) }),
      fc.record({ kind: fc.constant('age' as const), age: fc.integer({ min: 0, max: 40 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
        let now = eventOf('a').at;
        bounds = { keep: 128, keepBytes: Number.POSITIVE_INFINITY };
        for (const one of steps) {
          now += 1;
          if (one.kind === 'write') await write(...many(`who${one.who}`, one.count, { at: now }));
          if (one.kind === 'flood') await write(...many('mallory', one.count, { at: now }));
          if (one.kind === 'bounds') bounds = { ...bounds, keep: one.keep };
          if (one.kind === 'prune') await store.pruneEvents({ before: 0, keep: one.keep });
          if (one.kind === 'age') await store.pruneEvents({ before: now - one.age, keep: 1_000_000 });
          assert.deepEqual(faultsOf(await store.checkTrail(everything)), []);
        }
        await asItSays();
        assert.equal((await store.events({ limit: 1e6 })).length, store.health().trail?.held);
      }),
      { numRuns: 12 },
    );
  });
});
