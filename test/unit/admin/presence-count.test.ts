import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import {
  createPresenceCount,
  type PresenceCount,
  type PresenceCountLimits,
} from '../../../daemon/admin/presence-count.ts';
import type { Presence } from '../../../daemon/api/views.ts';
import { createClient } from '../../../daemon/client/client.ts';
import { until } from '../../support/call.ts';
import { runCli } from '../../support/cli-child.ts';
import { startControl, uids } from '../../support/control-rig.ts';
import { ProbedStore } from '../../support/control-store.ts';
import { phone } from '../control/records.ts';

/** Accounts of the store that were deleted or have another uid, counted in the background. */

const limit: PresenceCountLimits = { first: 0, batch: 4, pause: 0, retry: 0, interval: 1_000_000, kept: 100 };
const at = 1_000;

let store: ProbedStore;
let presences: Map<string, Presence>;
/** Names in lookup order, and current and maximum concurrent lookups. */
let lookups: { readonly asked: string[]; open: number; most: number };
beforeEach(async () => {
  store = new ProbedStore();
  presences = new Map([
    ['user1', 'gone'],
    ['user5', 'another'],
    ['user9', 'gone'],
  ]);
  for (let each = 0; each < 10; each += 1) await store.put(`user${each}`, {});
  lookups = { asked: [], open: 0, most: 0 };
});

function counting(changes: Partial<PresenceCountLimits> = {}): PresenceCount {
  // A count lasts as long as its process: it must not affect other tests.
  const [mine, theirs] = [lookups, presences];
  return createPresenceCount({
    store,
    now: () => at,
    limit: { ...limit, ...changes },
    async look(account) {
      mine.open += 1;
      mine.most = Math.max(mine.most, mine.open);
      mine.asked.push(account);
      await new Promise((resolve) => setImmediate(resolve));
      mine.open -= 1;
      return theirs.get(account) ?? 'here';
    },
  });
}
const isIn = (count: PresenceCount, state: string) => until(state, () => count.now().state === state);

describe('the count of deleted accounts', () => {
  it('finds all in more than one batch, one lookup at a time, each account once', async () => {
    const count = counting();
    assert.deepEqual(count.now(), { state: 'counting', gone: 0, another: 0 });
    await isIn(count, 'complete');
    assert.deepEqual(count.now(), { state: 'complete', gone: 2, another: 1, at });
    assert.deepEqual(
      lookups.asked,
      Array.from({ length: 10 }, (_, each) => `user${each}`),
    );
    assert.equal(lookups.most, 1);
  });

  it('reports that it is incomplete before that', async () => {
    const count = counting({ pause: 1_000_000 });
    await until('the first batch', () => lookups.asked.length === 4);
    await until('its last account', () => lookups.open === 0);
    assert.deepEqual(count.now(), { state: 'counting', gone: 1, another: 0 });
  });

  it('is unknown while the name service fails, and continues where it stopped', async () => {
    presences.set('user6', 'unknown');
    const count = counting();
    await isIn(count, 'unavailable');
    await until('it has tried again', () => lookups.asked.filter((name) => name === 'user6').length > 2);
    assert.ok(!lookups.asked.includes('user7'), 'it asked about another name');
    assert.deepEqual(count.now(), { state: 'unavailable' });
    presences.delete('user6');
    await isIn(count, 'complete');
    assert.deepEqual(count.now(), { state: 'complete', gone: 2, another: 1, at });
    assert.equal(lookups.asked.filter((name) => name === 'user1').length, 1);
  });

  it('is unknown too when the first name cannot be looked up, or one of a later pass', async () => {
    presences.set('user0', 'unknown');
    const first = counting();
    await isIn(first, 'unavailable');
    presences.delete('user0');
    await isIn(first, 'complete');
    const later = counting({ interval: 0 });
    await isIn(later, 'complete');
    presences.set('user3', 'unknown');
    await isIn(later, 'unavailable');
    presences.delete('user3');
    await isIn(later, 'complete');
  });

  it('decreases with a forgotten or moved record, and follows the name service', async () => {
    const count = counting({ interval: 1 });
    await isIn(count, 'complete');
    const { version } = await store.account('user1');
    await store.commit({ accounts: [{ account: 'user1', version, write: null }], events: [] });
    count.changed('user1');
    const counted = count.now();
    assert.ok(counted.state === 'complete' && counted.gone === 1, JSON.stringify(counted));
    presences.set('user9', 'here');
    await until('the next pass', () => {
      const now = count.now();
      return now.state === 'complete' && now.gone === 0;
    });
  });

  it('keeps a limited number of names, and says that there may be more', async () => {
    const count = counting({ kept: 2 });
    await until('all are looked up', () => lookups.asked.length === 10 && lookups.open === 0);
    await until('the pass is over', () => {
      const now = count.now();
      return now.state === 'counting' && now.gone + now.another === 2;
    });
  });

  it('survives a store that cannot be read for a while', async () => {
    let failures = 2;
    const { accounts } = store;
    store.accounts = async (options) => {
      if (failures-- > 0) throw new Error('it cannot be read');
      return accounts.call(store, options);
    };
    await isIn(counting(), 'complete');
  });
});

describe('status', () => {
  it('has both counts, warns of records of another uid, and no longer counts a forgotten one', async () => {
    const rig = await startControl({ presenceCount: { ...limit, first: 200, retry: 50, interval: 50 } });
    const client = createClient({ socket: rig.socket });
    const reached = async (wanted: object) => {
      for (;;) {
        const { presence } = await client.status();
        const { at: _, ...rest } = { at: 0, ...presence };
        if (JSON.stringify(rest) === JSON.stringify(wanted)) return;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    try {
      await rig.store.put('alice', { uid: uids.alice, factors: [phone] });
      await rig.store.put('carol', { uid: uids.carol + 500, factors: [phone] });
      await rig.store.put('former', { uid: uids.carol + 501, factors: [phone] });
      await reached({ state: 'complete', gone: 1, another: 1 });
      const { warnings } = await client.status();
      assert.ok(
        warnings.some((warning) => warning.startsWith('1 record of accounts')),
        String(warnings),
      );
      const shown = await runCli(['--config', rig.configFile, 'status']);
      assert.ok(shown.lines.includes('accounts gone\t1'), shown.out);
      assert.ok(shown.lines.includes('records of another uid\t1'), shown.out);
      assert.match(shown.out, /^accounts looked up\t\d{4}-\d\d-\d\dT/m);
      await client.forget('former');
      await reached({ state: 'complete', gone: 0, another: 1 });
      rig.names.away = true;
      await reached({ state: 'unavailable' });
      const dark = await runCli(['--config', rig.configFile, 'status']);
      assert.match(dark.out, /^accounts gone\tunknown: the name service is unavailable/m);
    } finally {
      await rig.close();
    }
  });
});
