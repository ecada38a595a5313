import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { limits } from '../../../daemon/limits.ts';
import {
  createLoginPools,
  type LoginPools,
  type Place,
  poolsFor,
} from '../../../daemon/login/login-pools.ts';
import type { HelloFrame } from '../../../daemon/protocol/login.ts';
import { type Client, LoginRig, pam, until } from '../../support/login-rig.ts';
import { answer, type HelloFields, hello, u32 } from '../../support/module-frames.ts';

/** Slots of logins on pam.sock: unverified logins take none of those for verified ones. */

const { unverifiedLogins: unverified, helloWaiting, loginsPerAccount } = limits;
const su = (uid: number, user = 'victim'): HelloFields => ({
  service: 'su',
  user,
  realUid: u32(uid),
  firstFactorPassed: Buffer.from([0]),
});

describe('on pam.sock', () => {
  let rig: LoginRig;
  beforeEach(async () => {
    rig = await LoginRig.start();
  });
  afterEach(() => rig.stop());

  const isLetIn = async (fields: HelloFields): Promise<void> => {
    const login = rig.begun({ user: 'victim', ...fields });
    await login.sees('prompt');
    login.send(answer('123456'));
    assert.equal(await login.result(), pam.success);
  };
  const begin = async (count: number, fields: (each: number) => HelloFields): Promise<Client[]> => {
    const clients = Array.from({ length: count }, (_, each) => rig.begun(fields(each)));
    const isAnswered = (client: Client): boolean => client.frames.some(({ type }) => type !== 'wait');
    await until(() => clients.every(isAnswered), 'each has heard something', 60_000);
    return clients;
  };
  const prompted = (clients: readonly Client[]): number =>
    clients.filter((client) => client.ofType('prompt').length > 0).length;

  it('262 calls of su by one user, who types nothing, take no slot of the verified login', async () => {
    const calls = await begin(262, () => su(1001));
    assert.equal(prompted(calls), unverified.party);
    const refused = calls.flatMap((call) => call.ofType('result'));
    assert.equal(refused.length, 262 - unverified.party);
    assert.ok(refused.every((frame) => frame.type === 'result' && frame.code === pam.systemErr));
    for (const service of ['sshd', 'sudo', 'su', 'login']) await isLetIn({ service });
  });

  it('su in a loop is refused only once in a while, however soon it retries', async () => {
    await begin(unverified.party, () => su(1001));
    const strangers = 8;
    let refused = 0;
    const began = performance.now();
    const tryAgain = (): void => {
      const call = rig.begun(su(1001));
      call.socket.once('close', () => {
        if (!isRunning) return;
        refused += 1;
        tryAgain();
      });
    };
    let isRunning = true;
    for (let each = 0; each < strangers; each += 1) tryAgain();
    for (let each = 0; each < 50; each += 1) await isLetIn({});
    await until(() => refused > 0, 'refused they are');
    isRunning = false;
    const rounds = Math.ceil((performance.now() - began) / limits.heldRefusals.hold);
    assert.ok(refused <= strangers * rounds, `${refused} refusals in ${rounds} rounds`);
  });

  it('nor do they take all unverified slots of the name: another user, and an address, get theirs', async () => {
    await begin(100, () => su(1001));
    await rig.begun(su(1002)).sees('prompt');
    await rig.begun({ ...su(0), service: 'sshd', rhost: '192.0.2.1' }).sees('prompt');
  });

  it('all unverified slots of a name leave those of other names, and of verified logins', async () => {
    const calls = await begin(3 * unverified.party, (each) => su(1001 + (each % 3)));
    assert.equal(prompted(calls), unverified.name);
    await rig.begun(su(1009, 'somebody')).sees('prompt');
    await isLetIn({});
  });

  it('an IPv6 network of a subscriber is one party, and a terminal is no party', async () => {
    const remote = (each: number): HelloFields => ({
      ...su(0, `user${each}`),
      service: 'sshd',
      rhost: `2001:db8::${each.toString(16)}`,
    });
    assert.equal(prompted(await begin(unverified.party + 4, remote)), unverified.party);
    const terminals = await begin(unverified.party + 4, (each) => ({
      ...su(1001, `name${each}`),
      tty: `pts/${each}`,
    }));
    assert.equal(prompted(terminals), unverified.party);
  });

  it('connections without HELLO give way to later ones, the oldest first, and a login is accepted beside them', async () => {
    const silent = Array.from({ length: helloWaiting }, () => rig.client());
    await until(() => rig.server.open() === helloWaiting, 'all are there');
    // After the time for its HELLO.
    const coming = setInterval(() => rig.client(), 100);
    await until(() => silent[0]?.ended === true, 'the first has given way');
    clearInterval(coming);
    assert.deepEqual(silent[0]?.ofType('result').length, 1);
    for (let each = 0; each < 10; each += 1) await isLetIn({});
    assert.ok(silent.at(-1)?.ended === false, 'the last one is still heard');
  });

  it('slots are freed, whatever the end', async () => {
    for (let round = 0; round < 3; round += 1) {
      const calls = await begin(unverified.party, () => su(1001));
      assert.equal(prompted(calls), unverified.party);
      for (const [each, call] of calls.entries()) {
        if (each % 3 === 0) call.socket.destroy();
        else if (each % 3 === 1) call.send(answer('000000'));
        else call.send(hello());
      }
      for (const call of calls) call.socket.end();
      await rig.nothingIsLeft();
    }
  });
});

describe('the pools', () => {
  const frame = (changes: Partial<HelloFrame>): HelloFrame => ({
    type: 'hello',
    service: 'su',
    user: 'victim',
    realUid: 1001,
    mode: 'prompt',
    firstFactorPassed: false,
    deadline: 60_000,
    flags: 0,
    terminal: false,
    ...changes,
  });
  const never = (): void => assert.fail('nobody has to give way');
  const admitted = (places: LoginPools, count: number, of: (each: number) => Partial<HelloFrame>): Place[] =>
    Array.from({ length: count }, (_, each) => ({ place: places.connect(never), each })).flatMap(
      ({ place, each }) => (place.admit(frame(of(each))).admitted ? [place] : []),
    );

  it('of unverified logins is bounded in all, and leaves that of verified ones whole', () => {
    const pools = poolsFor(Infinity);
    const places = createLoginPools({ ...pools, waiting: 10_000 });
    const got = admitted(places, 2 * unverified.all, (each) => ({ user: `u${each}`, realUid: 1000 + each }));
    assert.equal(got.length, unverified.all);
    const verified = admitted(places, pools.verified + 5, (each) => ({
      user: `u${each % 1_000}`,
      firstFactorPassed: true,
    }));
    assert.equal(verified.length, pools.verified);
    const { refused } = pools;
    assert.deepEqual(places.taken, {
      waiting: 0,
      unverified: unverified.all,
      verified: pools.verified,
      refused,
    });
    for (const place of [...got, ...verified]) place.leave();
    assert.deepEqual(places.taken, { waiting: 0, unverified: 0, verified: 0, refused });
  });

  it('of connections before HELLO displace entries only after a while, or when full', () => {
    let now = 0;
    const pools = poolsFor(Infinity);
    const places = createLoginPools(pools, () => now);
    const gone: number[] = [];
    const connect = (count: number): void => {
      for (let each = 0; each < count; each += 1) places.connect(() => gone.push(now));
    };
    connect(1_000);
    assert.deepEqual([gone.length, places.taken.waiting], [0, 1_000]);
    now += limits.helloGrace - 1;
    connect(1);
    assert.equal(gone.length, 0);
    now += 1;
    connect(1);
    assert.deepEqual([gone.length, places.taken.waiting], [746, helloWaiting]);
    connect(limits.rootConnections);
    assert.equal(places.taken.waiting, limits.rootConnections);
  });

  it('of verified logins give one name its share, and refused ones take none of it', () => {
    const places = createLoginPools(poolsFor(Infinity));
    const got = admitted(places, 2 * loginsPerAccount, () => ({ firstFactorPassed: true }));
    assert.equal(got.length, loginsPerAccount);
    const { waiting, unverified: open, verified } = places.taken;
    assert.deepEqual([waiting, open, verified], [0, 0, loginsPerAccount]);
  });

  it('of delayed refusals are bounded: beyond the limit the answer is sent at once', () => {
    const { all, hold } = limits.heldRefusals;
    const places = createLoginPools(poolsFor(Infinity));
    admitted(places, unverified.party, () => ({}));
    const refused = Array.from({ length: all + 1 }, () => places.connect(never));
    const holds = refused.map((place) => {
      const admission = place.admit(frame({}));
      return admission.admitted ? -1 : admission.holdFor;
    });
    assert.deepEqual(holds, [...Array.from({ length: all }, () => hold), 0]);
    assert.deepEqual(places.taken, { waiting: 0, unverified: unverified.party, verified: 0, refused: all });
    for (const place of refused) place.leave();
    assert.equal(places.taken.refused, 0);
  });

  it('of a name include other cases: where a directory service accepts both, both are one account', () => {
    const places = createLoginPools(poolsFor(Infinity));
    const spelled = (each: number): string => (each % 2 === 0 ? 'victim' : 'VicTim');
    const verified = admitted(places, 2 * loginsPerAccount, (each) => ({
      user: spelled(each),
      firstFactorPassed: true,
    }));
    assert.equal(verified.length, loginsPerAccount);
    const open = admitted(places, 2 * unverified.name, (each) => ({
      user: spelled(each),
      realUid: 1000 + each,
    }));
    assert.equal(open.length, unverified.name);
  });

  it('together stay below the file descriptor limit, whatever it is', () => {
    for (const descriptors of [1, 864, 900, 1_024, 4_096, 8_192, 1_048_576]) {
      const { waiting, unverified: open, verified, refused, user } = poolsFor(descriptors);
      const most = Math.max(1, descriptors - limits.otherDescriptors);
      assert.ok(waiting + open + verified + refused + user <= most, String(descriptors));
      assert.ok(waiting + open + verified <= limits.rootConnections && user <= limits.userConnections);
    }
  });
});
