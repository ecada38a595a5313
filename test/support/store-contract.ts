import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { StoredAuditEvent } from '../../daemon/audit/event.ts';
import type { Commit, Store } from '../../daemon/store/contract.ts';
import { counterOf, eventOf, put, recordOf } from './store-records.ts';

/** What every store promises; each implementation passes it. */
export function storeContract(
  name: string,
  open: () => Promise<{ readonly store: Store; readonly dispose: () => Promise<void> }>,
): void {
  describe(`${name} as a store`, () => {
    let store: Store;
    let dispose: () => Promise<void>;
    beforeEach(async () => {
      ({ store, dispose } = await open());
    });
    afterEach(() => dispose());

    accountsAndVersions(() => store);
    conflicts(() => store);
    tokens(() => store);
    listing(() => store);
    trail(() => store);
    pruning(() => store);
    closing(() => store);
  });
}

function write(account: string, version: number, counter = 0): Commit {
  return {
    accounts: [{ account, version, write: recordOf(account, counter) }],
    events: [eventOf(account)],
  };
}

function tokens(store: () => Store): void {
  const name = 'id:vvcccccccclb';
  const token = (version: number, lastPress: number): Commit => ({
    accounts: [],
    tokens: [{ version, write: { token: name, lastPress, spent: ['AAAA'] } }],
    events: [],
  });

  it('keeps the mark of a token, under a version, and takes it for no account', async () => {
    assert.deepEqual(await store().token(name), { value: undefined, version: 0 });
    assert.equal(await store().commit(token(0, 7)), 'committed');
    const first = await store().token(name);
    assert.deepEqual(first.value, { token: name, lastPress: 7, spent: ['AAAA'] });
    await put(store(), 'alice', 1);
    await put(store(), name, 2);
    assert.deepEqual((await store().token(name)).value, first.value);
    assert.equal(store().health().accounts, 2);
    const listed = await store().accounts({ limit: 9 });
    assert.deepEqual(
      listed.map(({ account }) => account),
      ['alice', name],
    );
    for (const after of ['', '\0', '\0yubikey:', `\0yubikey:${name}`])
      assert.deepEqual(await store().accounts({ after, limit: 9 }), listed, 'no token is an account');
    await store().scrub();
    assert.deepEqual(store().health().scrub.findings, []);
  });

  it('lets one of many commits move a token, whichever accounts they are for', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 64 }, (_, index) =>
        store().commit({
          ...token(0, 7),
          accounts: [{ account: `user${index}`, version: 0, write: recordOf(`user${index}`) }],
        }),
      ),
    );
    assert.equal(outcomes.filter((outcome) => outcome === 'committed').length, 1);
    assert.equal(store().health().accounts, 1, 'the losers left nothing behind');
  });

  it('refuses a mark that makes no sense, and changes nothing', async () => {
    for (const write of [
      { token: 'id:not modhex', lastPress: 1, spent: [] },
      { token: 'vvcccccccclb', lastPress: 1, spent: [] },
      { token: name, lastPress: -2, spent: [] },
    ])
      await assert.rejects(store().commit({ accounts: [], tokens: [{ version: 0, write }], events: [] }), {
        code: 'record-invalid',
      });
    assert.equal((await store().token(name)).version, 0);
  });
}

function accountsAndVersions(store: () => Store): void {
  it('knows no account at first', async () => {
    assert.deepEqual(await store().account('alice'), { value: undefined, version: 0 });
    assert.equal(store().health().accounts, 0);
  });

  it('gives back exactly what was committed, under a version that grows', async () => {
    assert.equal(await store().commit(write('alice', 0, 7)), 'committed');
    const first = await store().account('alice');
    assert.deepEqual(first.value, recordOf('alice', 7));
    assert.ok(first.version > 0);
    assert.equal(await store().commit(write('alice', first.version, 8)), 'committed');
    const second = await store().account('alice');
    assert.deepEqual(second.value, recordOf('alice', 8));
    assert.ok(second.version > first.version);
  });

  it('keeps names apart that begin alike, and any name at its greatest length', async () => {
    const names = ['bob', 'bob2', 'bo', 'CORP\\bob', 'bob@corp.example', 'bjørn', 'x'.repeat(256)];
    for (const [index, name] of names.entries()) await put(store(), name, index);
    for (const [index, name] of names.entries()) {
      assert.equal(counterOf((await store().account(name)).value), index, name);
    }
  });

  it('is not changed by what is done to a record that it gave out', async () => {
    await put(store(), 'alice', 1);
    const { value } = await store().account('alice');
    assert.ok(value);
    Reflect.set(value, 'created', 1);
    assert.deepEqual((await store().account('alice')).value, recordOf('alice', 1));
  });

  it('removes an account, and never gives a version out twice', async () => {
    const before = await put(store(), 'alice');
    const gone: Commit = { accounts: [{ account: 'alice', version: before, write: null }], events: [] };
    assert.equal(await store().commit(gone), 'committed');
    assert.deepEqual(await store().account('alice'), { value: undefined, version: 0 });
    assert.equal(store().health().accounts, 0);
    const after = await put(store(), 'alice');
    assert.ok(after > before);
    assert.equal(await store().commit(write('alice', before)), 'conflict');
  });

  it('refuses a record that it does not understand, and stores nothing of the commit', async () => {
    const bad = { ...recordOf('alice'), surprise: 1 };
    await assert.rejects(
      store().commit({
        accounts: [{ account: 'alice', version: 0, write: bad }],
        events: [eventOf('alice')],
      }),
      { code: 'record-invalid' },
    );
    await assert.rejects(
      store().commit({ accounts: [{ account: 'bob', version: 0, write: recordOf('alice') }], events: [] }),
      { code: 'record-invalid' },
    );
    assert.equal(store().health().events.last, 0);
    assert.equal((await store().account('alice')).version, 0);
  });
}

function conflicts(store: () => Store): void {
  it('takes a commit only with the version that is stored, and leaves nothing of one that conflicts', async () => {
    const version = await put(store(), 'alice', 1);
    const { commit, events } = store().health();
    for (const wrong of [0, version - 1, version + 1]) {
      assert.equal(await store().commit(write('alice', wrong, 9)), 'conflict', String(wrong));
    }
    assert.equal(await store().commit(write('bob', 1, 9)), 'conflict');
    assert.equal(counterOf((await store().account('alice')).value), 1);
    assert.deepEqual([store().health().commit, store().health().events], [commit, events]);
  });

  it('takes all of a commit on several accounts, or nothing', async () => {
    const version = await put(store(), 'alice', 1);
    const both = (alice: number, bob: number): Commit => ({
      accounts: [
        { account: 'alice', version: alice, write: recordOf('alice', 2) },
        { account: 'bob', version: bob, write: recordOf('bob', 2) },
      ],
      events: [eventOf('alice'), eventOf('bob')],
    });
    assert.equal(await store().commit(both(version, 1)), 'conflict');
    assert.equal(counterOf((await store().account('alice')).value), 1);
    assert.equal(await store().commit(both(version, 0)), 'committed');
    const [alice, bob] = await Promise.all([store().account('alice'), store().account('bob')]);
    assert.deepEqual([counterOf(alice.value), counterOf(bob.value)], [2, 2]);
    assert.equal(alice.version, bob.version);
  });

  it('checks an account that a commit only rests on, and leaves it as it is', async () => {
    const version = await put(store(), 'alice', 1);
    const restsOn = (at: number): Commit => ({
      accounts: [
        { account: 'alice', version: at },
        { account: 'bob', version: 0, write: recordOf('bob') },
      ],
      events: [],
    });
    assert.equal(await store().commit(restsOn(version + 1)), 'conflict');
    assert.equal(await store().commit(restsOn(version)), 'committed');
    assert.equal((await store().account('alice')).version, version);
  });

  it('lets exactly one of 64 commits on one version through', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { version } = await store().account('alice');
      const tries = Array.from({ length: 64 }, (_, index) => store().commit(write('alice', version, index)));
      const outcomes = await Promise.all(tries);
      assert.equal(outcomes.filter((outcome) => outcome === 'committed').length, 1);
      const winner = outcomes.indexOf('committed');
      assert.equal(counterOf((await store().account('alice')).value), winner);
      assert.equal(store().health().events.last, round + 1);
    }
  });

  it('lets 64 commits on 64 accounts through at once, each under a version of its own', async () => {
    const names = Array.from({ length: 64 }, (_, index) => `user${index}`);
    const outcomes = await Promise.all(names.map((name) => store().commit(write(name, 0))));
    assert.ok(outcomes.every((outcome) => outcome === 'committed'));
    const versions = await Promise.all(names.map(async (name) => (await store().account(name)).version));
    assert.equal(new Set(versions).size, 64);
    assert.equal(store().health().accounts, 64);
  });
}

function listing(store: () => Store): void {
  it('lists accounts in the order of their bytes, page by page', async () => {
    const names = ['b', 'a', 'ab', 'Z', 'é', 'zz', 'z'];
    for (const name of names) await put(store(), name);
    const sorted = ['Z', 'a', 'ab', 'b', 'z', 'zz', 'é'];
    const all = await store().accounts({ limit: 100 });
    assert.deepEqual(
      all.map(({ account }) => account),
      sorted,
    );
    assert.deepEqual(all[1], { account: 'a', record: recordOf('a') });
    const pages: string[] = [];
    for (let after: string | undefined; ; ) {
      const page = await store().accounts({ limit: 2, ...(after === undefined ? {} : { after }) });
      if (page.length === 0) break;
      pages.push(...page.map(({ account }) => account));
      after = pages.at(-1);
    }
    assert.deepEqual(pages, sorted);
  });
}

function trail(store: () => Store): void {
  const seqs = (events: readonly StoredAuditEvent[]): number[] => events.map(({ seq }) => seq);

  it('numbers events without gaps, and lists them newest first or forward', async () => {
    for (let at = 1; at <= 5; at += 1) {
      await store().commit({ accounts: [], events: [eventOf(at % 2 ? 'odd' : 'even', at)] });
    }
    assert.deepEqual(seqs(await store().events({ limit: 9 })), [5, 4, 3, 2, 1]);
    assert.deepEqual(seqs(await store().events({ limit: 2 })), [5, 4]);
    assert.deepEqual(seqs(await store().events({ limit: 9, forward: true })), [1, 2, 3, 4, 5]);
    assert.deepEqual(seqs(await store().events({ limit: 9, forward: true, from: 4 })), [4, 5]);
    assert.deepEqual(seqs(await store().events({ limit: 9, from: 2 })), [2, 1]);
    assert.deepEqual(seqs(await store().events({ limit: 9, account: 'even' })), [4, 2]);
    assert.deepEqual(seqs(await store().events({ limit: 9, since: 4 })), [5, 4]);
    assert.deepEqual(seqs(await store().events({ limit: 9, from: 100, forward: true })), []);
    assert.deepEqual((await store().events({ limit: 1 }))[0], { ...eventOf('odd', 5), seq: 5 });
    assert.deepEqual(store().health().events, { first: 1, last: 5 });
  });

  it('is searched a bounded stretch at a time, and nothing is left out or comes twice', async () => {
    const events = Array.from({ length: 50 }, (_, index) =>
      eventOf(index % 10 === 0 ? 'rare' : 'usual', index),
    );
    await store().commit({ accounts: [], events });
    const fits = ({ account }: StoredAuditEvent) => account === 'rare';
    for (const forward of [false, true])
      for (const [limit, scan] of [
        [100, 7],
        [1, 100],
        [2, 13],
        [100, 1],
      ] as const) {
        const found: number[] = [];
        let pages = 0;
        for (let from: number | undefined = forward ? 1 : 50; from !== undefined; pages += 1) {
          const page = await store().search({ from, fits, limit, scan, forward });
          found.push(...seqs(page.events));
          from = page.next;
        }
        const expected = [1, 11, 21, 31, 41];
        assert.deepEqual(found, forward ? expected : expected.toReversed(), `${limit} of ${scan}`);
        assert.ok(pages >= 50 / scan && (limit > 5 || pages >= 5 / limit), `${pages} pages`);
      }
    const inTime = await store().search({ fits: () => true, since: 10, until: 20, limit: 99, scan: 99 });
    assert.deepEqual(seqs(inTime.events), [20, 19, 18, 17, 16, 15, 14, 13, 12, 11]);
  });

  it('tells followers each event once, in order, when it can be read, and stops when told', async () => {
    const heard: number[] = [];
    const other: number[] = [];
    const stop = store().follow(({ seq }) => heard.push(seq));
    store().follow(({ seq }) => other.push(seq));
    await Promise.all(Array.from({ length: 20 }, (_, i) => store().commit(write(`user${i}`, 0))));
    assert.equal(await store().commit(write('user0', 0)), 'conflict');
    stop();
    await put(store(), 'user21');
    const expected = Array.from({ length: 20 }, (_, index) => index + 1);
    assert.deepEqual(heard, expected);
    assert.deepEqual(other, [...expected, 21]);
    assert.deepEqual(seqs(await store().events({ limit: 99, forward: true })), [...expected, 21]);
  });
}

function pruning(store: () => Store): void {
  it('drops events over age and over count, the oldest first, and keeps their numbers', async () => {
    for (let at = 1; at <= 10; at += 1) await store().commit({ accounts: [], events: [eventOf('a', at)] });
    assert.equal(await store().pruneEvents({ before: 4, keep: 100 }), 3);
    assert.deepEqual(store().health().events, { first: 4, last: 10 });
    assert.equal(await store().pruneEvents({ before: 0, keep: 2 }), 5);
    assert.equal(await store().pruneEvents({ before: 0, keep: 2 }), 0);
    const left = await store().events({ limit: 99, forward: true });
    assert.deepEqual(
      left.map(({ seq }) => seq),
      [9, 10],
    );
    assert.equal(await store().pruneEvents({ before: 99, keep: 2 }), 2);
    assert.deepEqual(store().health().events, { first: 11, last: 10 });
    await put(store(), 'alice');
    assert.deepEqual(
      (await store().events({ limit: 9 })).map(({ seq }) => seq),
      [11],
    );
  });
}

function closing(store: () => Store): void {
  it('finishes what is under way when it closes, and takes nothing after', async () => {
    const under = Array.from({ length: 8 }, (_, index) => store().commit(write(`user${index}`, 0)));
    const outcomes = Promise.all(under);
    await outcomes;
    await store().close();
    assert.equal(store().health().state, 'closed');
    await assert.rejects(store().account('alice'), { code: 'store-closed' });
    await assert.rejects(store().commit(write('alice', 0)), { code: 'store-closed' });
    await assert.rejects(store().events({ limit: 1 }), { code: 'store-closed' });
    await store().close();
  });
}
