import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createOwners } from '../../../daemon/admin/owners.ts';
import { type ControlClient, createClient } from '../../../daemon/client/client.ts';
import { limits } from '../../../daemon/limits.ts';
import { callAs } from '../../support/call-as.ts';
import { totp } from '../../support/codes.ts';
import { type ControlRig, startControl, uids } from '../../support/control-rig.ts';
import { knows, people, realms } from '../../support/sign-ins.ts';
import { fob, grant, phone, seed } from '../control/records.ts';

/** Decisions of administrators about a record whose account was deleted, or belongs to another user by now. */

let rig: ControlRig;
let client: ControlClient;
beforeEach(async () => {
  rig = await startControl({ config: realms });
  knows(rig);
  client = createClient({ socket: rig.socket });
});
afterEach(() => rig.close());

const before = 60_999;
const events = () =>
  rig.store.trail.map(({ kind, account, other, reason, actor }) =>
    [kind, account, other ?? '-', reason, actor].join(' '),
  );
const exemption = { since: Date.now() - 1_000, until: Date.now() + 60_000, by: 'uid:0' };

describe('forget', () => {
  it('removes everything of a deleted account, with an event, once', async () => {
    await rig.store.put('gone', { uid: before, factors: [phone, fob], exemption });
    assert.deepEqual(await client.forget('gone'), { account: 'gone', changed: true });
    assert.equal(await rig.store.get('gone'), undefined);
    assert.deepEqual(events(), ['user-forgotten gone - by-admin uid:0']);
    assert.equal((await client.status()).exemptions.running, 0);
    await assert.rejects(client.forget('gone'), { code: 'no-such-account' });
  });

  it('lets the new user of the name start with a new record', async () => {
    await rig.store.put('carol', { uid: before, factors: [phone] });
    const explained = async () => (await client.explain('carol', { service: 'sshd' })).why;
    assert.equal(await explained(), 'uid-changed');
    await client.forget('carol');
    assert.equal(await explained(), 'no-factor');
    await client.addFactor('carol', { kind: 'recovery', verify: false });
    assert.equal((await rig.store.get('carol'))?.uid, uids.carol);
  });

  it('removes nothing while the name service cannot say whether the account was deleted', async () => {
    await rig.store.put('gone', { uid: before, factors: [phone] });
    rig.names.away = true;
    await assert.rejects(client.forget('gone'), { code: 'accounts-unavailable' });
    assert.equal((await rig.store.get('gone'))?.factors.length, 1);
    assert.deepEqual(events(), []);
  });

  it('asks the name service itself, whoever calls it', async () => {
    const { store, names: accounts } = rig;
    await store.put('gone', { uid: before, factors: [phone] });
    const owners = createOwners({ store, accounts, now: Date.now, changed: () => undefined });
    accounts.away = true;
    const unavailable = { code: 'accounts-unavailable' };
    await assert.rejects(owners.forget('uid:0', 'gone'), unavailable);
    await assert.rejects(owners.move('uid:0', 'gone', 'dave', true), unavailable);
    assert.equal((await store.get('gone'))?.factors.length, 1);
  });

  it('is decided again if the record was changed meanwhile', async () => {
    await rig.store.put('gone', { uid: before, factors: [phone] });
    let others = 2;
    rig.store.beforeCommit = async () => {
      if (others-- > 0) await rig.store.put('gone', { graceStarted: others + 1 });
    };
    await client.forget('gone');
    assert.equal(await rig.store.get('gone'), undefined);
    assert.equal(events().length, 1);
  });
});

describe('move', () => {
  it('moves the record to the new name of the same uid, in one commit with an event for each name', async () => {
    await rig.store.put('old', { uid: people.dave, factors: [phone], exemption, grants: [grant] });
    assert.deepEqual(await client.move('old', { to: 'dave' }), { account: 'dave', changed: true });
    assert.equal(await rig.store.get('old'), undefined);
    const record = await rig.store.get('dave');
    assert.deepEqual(
      [record?.account, record?.uid, record?.factors, record?.exemption, record?.grants],
      ['dave', people.dave, [phone], exemption, []],
    );
    assert.deepEqual(events(), ['user-moved old dave by-admin uid:0', 'user-moved dave old by-admin uid:0']);
    assert.equal(rig.store.commits.length, 1);
    assert.equal((await client.verify('dave', { answer: totp(seed) })).outcome, 'accepted');
  });

  it('needs confirmation for a record of another or no uid, and does not move the exemption', async () => {
    for (const uid of [before, undefined]) {
      await rig.store.put('old', { ...(uid === undefined ? {} : { uid }), factors: [phone], exemption });
      await assert.rejects(client.move('old', { to: 'dave' }), {
        code: 'yes-needed',
        message: new RegExp(`uid ${people.dave}.*same person`),
      });
      assert.equal(await rig.store.get('dave'), undefined);
      await client.move('old', { to: 'dave', confirmed: true });
      const record = await rig.store.get('dave');
      assert.deepEqual([record?.uid, record?.factors.length, record?.exemption], [people.dave, 1, undefined]);
      assert.match(events().at(-1) ?? '', /new-uid/);
      await client.forget('dave');
    }
  });

  it('with one name twice, states that it is the same user under a new uid', async () => {
    await rig.store.put('carol', { uid: before, factors: [phone] });
    await assert.rejects(client.move('carol', { to: 'carol' }), { code: 'yes-needed' });
    await client.move('carol', { to: 'carol', confirmed: true });
    assert.equal((await rig.store.get('carol'))?.uid, uids.carol);
    assert.deepEqual(events(), ['user-moved carol - new-uid uid:0']);
    assert.equal((await client.verify('carol', { answer: totp(seed) })).outcome, 'accepted');
  });

  it('overwrites no factors, and moves to no account that is missing or cannot be looked up', async () => {
    await rig.store.put('old', { uid: people.dave, factors: [phone] });
    await rig.store.put('dave', { uid: people.dave, factors: [fob] });
    await assert.rejects(client.move('old', { to: 'dave', confirmed: true }), { code: 'has-record' });
    await rig.store.put('dave', { uid: before, factors: [fob] });
    await assert.rejects(client.move('old', { to: 'dave', confirmed: true }), { code: 'has-record' });
    await assert.rejects(client.move('old', { to: 'nobody', confirmed: true }), { code: 'no-such-account' });
    rig.names.away = true;
    await assert.rejects(client.move('old', { to: 'dave', confirmed: true }), {
      code: 'accounts-unavailable',
    });
    rig.names.away = false;
    assert.deepEqual((await rig.store.get('dave'))?.factors, [fob]);
    assert.deepEqual(events(), []);
  });

  it('of a name without a record moves nothing', async () => {
    await assert.rejects(client.move('carol', { to: 'dave' }), { code: 'no-such-account' });
  });
});

describe('an administrator', () => {
  const asBob = async (method: string, path: string, body?: object) => {
    const { token } = rig.tokens.give({ account: 'bob', uid: uids.bob });
    const headers = { authorization: `Bearer ${token}` };
    const call = { method, path, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const [answer] = await callAs(uids.bob, rig.socket, [call]);
    return answer?.body.error?.code ?? 'done';
  };

  it('forgets and moves records of deleted accounts, unless they were root’s', async () => {
    await rig.store.put('gone', { uid: before, factors: [phone] });
    await rig.store.put('old', { uid: people.dave, factors: [phone] });
    assert.equal(await asBob('DELETE', '/v1/users/gone'), 'done');
    assert.equal(await asBob('POST', '/v1/users/old/move', { to: 'dave' }), 'done');
    await rig.store.put('toor', { uid: 0, factors: [phone] });
    await rig.store.put('unknown', { factors: [phone] });
    for (const name of ['toor', 'unknown']) {
      assert.equal(await asBob('DELETE', `/v1/users/${name}`), 'not-permitted', name);
      const move = { to: 'erin', confirmed: true };
      assert.equal(await asBob('POST', `/v1/users/${name}/move`, move), 'not-permitted', name);
    }
  });

  it('moves nothing to root, nor to their own account', async () => {
    await rig.store.put('gone', { uid: before, factors: [phone] });
    for (const to of ['root', 'bob'])
      assert.equal(await asBob('POST', '/v1/users/gone/move', { to, confirmed: true }), 'not-permitted', to);
    assert.equal((await rig.store.get('gone'))?.factors.length, 1);
  });
});

describe('the list of accounts', () => {
  const presences = async () => {
    const { users } = await client.users(undefined, 100, undefined, true);
    return users.map(({ account, presence }) => `${account} ${presence}`);
  };
  beforeEach(async () => {
    await rig.store.put('carol', { uid: before, factors: [phone] });
    await rig.store.put('dave', { uid: people.dave, factors: [phone] });
    await rig.store.put('gone', { uid: before, factors: [] });
  });

  it('distinguishes deleted accounts, and names of another user, from current ones', async () => {
    assert.deepEqual(await presences(), ['carol another', 'dave here', 'gone gone']);
    assert.equal((await client.user('carol')).recordUid, before);
    assert.equal((await client.user('dave')).recordUid, undefined);
  });

  it('reports none as deleted while the name service fails, and stops asking it', async () => {
    rig.names.away = true;
    rig.names.slow = 20;
    assert.deepEqual(await presences(), ['carol unknown', 'dave unknown', 'gone unknown']);
    assert.ok(rig.names.most <= limits.reportAtOnce);
  });

  it('looks up none unless requested', async () => {
    rig.names.away = true;
    const { users } = await client.users(undefined, 100);
    assert.ok(users.every(({ presence }) => presence === undefined));
  });
});

describe('the audit trail of an account that reads its own', () => {
  const login = (account: string, source: string) =>
    rig.store.commit({
      accounts: [],
      events: [{ kind: 'login', outcome: 'success', at: Date.now(), account, reason: 'totp', source }],
    });
  const read = async (uid: number, path: string) => {
    const [answer] = await callAs(uid, rig.socket, [{ method: 'GET', path }]);
    const { events = [], next } = (answer?.body ?? {}) as {
      events?: { source?: string; kind: string }[];
      next?: number;
    };
    return [...events.map(({ source, kind }) => source ?? kind), ...(next === undefined ? [] : ['next'])];
  };
  const own = (more = '') => read(uids.carol, `/v1/audit?user=carol&limit=10${more}`);

  it('begins where the record of the former user was forgotten, wherever a page begins', async () => {
    await rig.store.put('carol', { uid: before, factors: [phone] });
    await login('carol', '192.0.2.1');
    const old = rig.store.trail.at(-1)?.seq ?? 0;
    await client.forget('carol');
    await login('carol', '192.0.2.2');
    assert.deepEqual(await own(), ['192.0.2.2']);
    assert.deepEqual(await own(`&from=${old}`), []);
    assert.deepEqual(await read(uids.carol, '/v1/audit?user=carol&limit=1'), ['192.0.2.2']);
    await login('carol', '192.0.2.3');
    assert.deepEqual(await own(), ['192.0.2.3', '192.0.2.2']);
    await client.addFactor('carol', { kind: 'recovery', verify: false });
    await client.forget('carol');
    assert.deepEqual(await own(), []);
  });

  it('is complete for root and administrators, and for an account that always had its record', async () => {
    await rig.store.put('carol', { uid: before, factors: [phone] });
    await login('carol', '192.0.2.1');
    await client.move('carol', { to: 'carol', confirmed: true });
    assert.deepEqual(await own(), ['user-moved', '192.0.2.1']);
    await client.forget('carol');
    const all = ['user-forgotten', 'user-moved', '192.0.2.1'];
    assert.deepEqual(await read(uids.bob, '/v1/audit?user=carol&limit=10'), all);
    assert.deepEqual(await read(0, '/v1/audit?user=carol&limit=10'), all);
  });

  it('ends where a record was moved away, or begins where it was moved in', async () => {
    await rig.store.put('carol', { uid: uids.carol, factors: [phone] });
    await login('carol', '192.0.2.1');
    await login('dave', '192.0.2.2');
    await client.move('carol', { to: 'dave', confirmed: true });
    assert.deepEqual(await own(), []);
    assert.deepEqual(await read(people.dave, '/v1/audit?user=dave&limit=10'), []);
  });
});
