import assert from 'node:assert/strict';
import { get, type IncomingMessage, type ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, test } from 'node:test';
import type { Caller } from '../../../daemon/api/access.ts';
import type { AuditEvent, StoredAuditEvent } from '../../../daemon/audit/event.ts';
import { type ControlClient, ControlError, createClient } from '../../../daemon/client/client.ts';
import { createFollowers } from '../../../daemon/control/follow.ts';
import { SallyportError } from '../../../daemon/lib/errors.ts';
import { limits } from '../../../daemon/limits.ts';
import { rawConnection, until } from '../../support/call.ts';
import { type ControlRig, type RigOptions, startControl, uids } from '../../support/control-rig.ts';

let rig: ControlRig;
let client: ControlClient;
const begin = async (options: RigOptions = {}) => {
  await rig?.close();
  rig = await startControl(options);
  client = createClient({ socket: rig.socket });
};
beforeEach(() => begin());
afterEach(() => rig.close());

const add = (account: string, reason = 'verified') =>
  rig.store.commit({
    accounts: [],
    events: [{ kind: 'login', outcome: 'success', at: Date.now(), account, reason } satisfies AuditEvent],
  });

async function take(stream: AsyncIterable<StoredAuditEvent>, count: number): Promise<readonly number[]> {
  const places: number[] = [];
  for await (const event of stream) {
    places.push(event.seq);
    if (places.length === count) break;
  }
  return places;
}

test('starts from a position: existing events, then new ones, each once and in order', async () => {
  await begin({ limits: { pageSize: 3 } });
  for (let count = 0; count < 10; count += 1) await add('alice');
  const taken = take(client.follow({ from: 2 }), 58);
  for (let count = 0; count < 50; count += 1) await add('alice');
  assert.deepEqual(
    await taken,
    Array.from({ length: 58 }, (_, index) => index + 3),
  );
});

test('events between the last page and the live stream are not lost', {
  timeout: 20_000,
}, async () => {
  await add('alice');
  const events = rig.store.events.bind(rig.store);
  rig.store.events = async (options) => {
    const page = await events(options);
    rig.store.events = events;
    await add('bob');
    return page;
  };
  assert.deepEqual(await take(client.follow({ from: 0 }), 2), [1, 2]);
});

test('without a position starts with the next event', async () => {
  await add('alice');
  const taken = take(client.follow({}), 1);
  await until('a follower', () => rig.store.followers === 1);
  await add('bob');
  assert.deepEqual(await taken, [2]);
});

test('of one account reports only that one', async () => {
  const taken = take(client.follow({ user: 'BOB', from: 0 }), 2);
  for (const account of ['alice', 'bob', 'alice', 'bob']) await add(account);
  assert.deepEqual(await taken, [2, 4]);
});

test('a disconnected follower is removed', async () => {
  const taken = take(client.follow({}), 1);
  await until('a follower', () => rig.store.followers === 1);
  await add('alice');
  await taken;
  await until('nobody', () => rig.store.followers === 0);
});

test('the number of followers is limited', async () => {
  await begin({ limits: { auditFollowers: 2 } });
  const followers = [take(client.follow({}), 1), take(client.follow({}), 1)];
  await until('two followers', () => rig.store.followers === 2);
  await assert.rejects(
    take(client.follow({}), 1),
    (error: unknown) => error instanceof ControlError && error.code === 'too-many-followers',
  );
  await add('alice');
  await Promise.all(followers);
  await until('nobody', () => rig.store.followers === 0);
  const again = take(client.follow({}), 1);
  await until('a follower', () => rig.store.followers === 1);
  await add('alice');
  assert.deepEqual(await again, [2]);
});

test('a follower that does not read is dropped after a limit; others continue', async () => {
  await begin({ limits: { auditFollowUnread: 50_000 } });
  const deaf = await rawConnection(rig.socket);
  deaf.pause();
  deaf.write('GET /v1/audit/follow HTTP/1.1\r\nhost: x\r\n\r\n');
  await until('a follower', () => rig.store.followers === 1);
  const count = 2_000;
  const taken = take(client.follow({}), count);
  await until('two followers', () => rig.store.followers === 2);
  for (let added = 0; added < count; added += 1) await add('alice', 'x'.repeat(200));
  assert.equal((await taken).length, count);
  await until('the deaf one gone', () => rig.store.followers === 0, 15_000);
  deaf.destroy();
});

test('the end of the daemon is reported', async () => {
  const taken = take(client.follow({}), 1);
  await until('a follower', () => rig.store.followers === 1);
  const closed = rig.server.close();
  await assert.rejects(
    taken,
    (error: unknown) => error instanceof ControlError && error.code === 'shutting-down',
  );
  await closed;
});

for (const path of ['/v1/audit/follow', '/v1/users/root/approvals/follow'])
  test(`a follower of ${path} with a token is dropped when it ends`, async () => {
    await begin({ limits: { followCheck: 10 } });
    const { token } = rig.tokens.give({ account: 'root', uid: 0 });
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}` };
      get({ socketPath: rig.socket, path, agent: false, headers }, resolve).on('error', reject);
    });
    let isOver = false;
    response.resume().once('end', () => {
      isOver = true;
    });
    assert.equal(response.statusCode, 200);
    assert.equal(isOver, false);
    rig.clock.mono += limits.tokenIdle;
    await until('the stream is over', () => isOver);
  });

test('local users leave slots to root and to sallyport-notify', async () => {
  const none = { root: false, portal: false, admin: false };
  const status = await client.status();
  const admin = {
    auditFrom: async () => [],
    follow: () => () => undefined,
    followTroubles: () => () => undefined,
    status: () => status,
  };
  const followers = createFollowers(admin, limits);
  const follow = (caller: Caller): Promise<void> => {
    const response = Object.assign(new PassThrough(), {
      writeHead: () => undefined,
      flushHeaders: () => undefined,
    });
    return followers.start(
      response as unknown as ServerResponse,
      {},
      { caller, hearsOfCodesToCome: caller.root },
    );
  };
  const isFull = (error: unknown) => error instanceof SallyportError && error.code === 'too-many-followers';
  let uid = 1_000;
  while (followers.count() < limits.auditFollowers - limits.auditFollowersKept) {
    for (let own = 0; own < limits.auditFollowersPerUid; own += 1) await follow({ ...none, uid });
    await assert.rejects(follow({ ...none, uid }), isFull);
    uid += 1;
  }
  for (const caller of [
    { ...none, uid },
    { ...none, uid: uids.portal, portal: true },
    { ...none, uid, admin: true },
  ])
    await assert.rejects(follow(caller), isFull);
  await follow({ ...none, uid: uids.notify, notify: true });
  while (followers.count() < limits.auditFollowers) await follow({ ...none, uid: 0, root: true });
  await assert.rejects(follow({ ...none, uid: 0, root: true }), isFull);
});
