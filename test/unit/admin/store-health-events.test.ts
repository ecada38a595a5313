import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { StoredAuditEvent } from '../../../daemon/audit/event.ts';
import { createClient } from '../../../daemon/client/client.ts';
import { type ControlRig, startControl } from '../../support/control-rig.ts';
import { until } from '../../support/until.ts';

/** Events that a failing store cannot store are still sent to followers. */
let rig: ControlRig;
beforeEach(async () => {
  rig = await startControl();
});
afterEach(() => rig.close());

function follow(query: object = {}) {
  const stop = new AbortController();
  const heard: StoredAuditEvent[] = [];
  let newest: number | undefined;
  const client = createClient({ socket: rig.socket, signal: stop.signal });
  const done = (async () => {
    const stream = client.follow(query, (place) => {
      newest = place;
    });
    for await (const event of stream) heard.push(event);
  })().catch(() => undefined);
  return {
    reasons: () => heard.map(({ seq, reason }) => `${seq} ${reason}`),
    newest: () => newest,
    end: async () => {
      stop.abort();
      await done;
    },
  };
}

const add = (account: string) =>
  rig.store.commit({
    accounts: [],
    events: [{ kind: 'login', outcome: 'success', at: 1, account, reason: 'verified' }],
  });

test('a store that fails, recovers, or is damaged is reported between the events', async () => {
  await add('alice');
  const follower = follow({ from: 0 });
  await until(() => follower.reasons().length === 1, 60_000);
  assert.equal(follower.newest(), 1);
  rig.store.breakWrites('no room');
  await until(() => follower.reasons().length === 2, 60_000);
  rig.store.breakWrites(undefined);
  await until(() => follower.reasons().length === 3, 60_000);
  rig.store.findings = ['a table is damaged'];
  await until(() => follower.reasons().length === 4, 60_000);
  await add('bob');
  await until(() => follower.reasons().length === 5, 60_000);
  assert.deepEqual(follower.reasons(), [
    '1 verified',
    '0 unwritable',
    '0 writable-again',
    '0 damage-found',
    '2 verified',
  ]);
  await follower.end();
});

test('a later follower is told at once what is wrong, and a follower of one account is not', async () => {
  rig.store.breakWrites('no room');
  const one = follow({ user: 'alice' });
  const all = follow();
  await until(() => all.reasons().length === 1, 60_000);
  assert.deepEqual(all.reasons(), ['0 unwritable']);
  rig.store.breakWrites(undefined);
  await until(() => all.reasons().length === 2, 60_000);
  await add('alice');
  await until(() => one.reasons().length === 1, 60_000);
  assert.deepEqual(one.reasons(), ['1 verified']);
  await Promise.all([one.end(), all.end()]);
});
