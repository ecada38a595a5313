import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { operation } from '../../../daemon/api/operations.ts';
import { pathOf } from '../../../daemon/api/routes.ts';
import { type ControlClient, createClient } from '../../../daemon/client/client.ts';
import { callAs } from '../../support/call-as.ts';
import { totp } from '../../support/codes.ts';
import { type ControlRig, startControl, uids } from '../../support/control-rig.ts';
import {
  asked,
  callers,
  done,
  knows,
  linkIn,
  outcomeOf,
  people,
  realms,
  withPassword,
} from '../../support/sign-ins.ts';
import { expectedCells } from '../api/access-table.ts';
import { phone, seed } from '../control/records.ts';

/** A name is not a person: what is stored for another uid does not belong to the account. */

let rig: ControlRig;
let client: ControlClient;
beforeEach(async () => {
  rig = await startControl({ config: realms });
  knows(rig);
  client = createClient({ socket: rig.socket });
});
afterEach(() => rig.close());

const before = 60_999;
const changed = { code: 'uid-changed' };
const reasonOf = () => rig.store.trail.at(-1)?.reason;

describe('a new user under a former name', () => {
  it('does not sign in with the password, nor with a link of its own', async () => {
    await rig.store.put('bob', { uid: before, factors: [phone] });
    assert.equal(await outcomeOf(rig.signIns.begin(callers.portal, withPassword('bob'))), 'sign-in-refused');
    assert.equal(reasonOf(), 'uid-changed');
    rig.passwords.without.add('bob');
    const own = { user: 'bob', by: 'uid' } as const;
    assert.equal(await outcomeOf(rig.signIns.begin(callers.bob, own)), 'sign-in-refused');
    assert.equal(reasonOf(), 'uid-changed');
  });

  it('cannot add a first factor because of a former record, whatever its realm allows', async () => {
    for (const user of ['dave', 'erin'] as const) {
      await rig.store.put(user, { uid: before, factors: [{ ...phone, enabled: false }] });
      const view = rig.signIns.begin(callers.portal, withPassword(user));
      assert.equal(await outcomeOf(view), 'sign-in-refused', user);
      assert.equal(reasonOf(), 'uid-changed', user);
    }
  });

  it('cannot use an invite, or a link, of the former user', async () => {
    const { link } = await client.invite('dave', true);
    rig.passwords.without.add('carol');
    const view = await rig.signIns.begin(callers.carol, { user: 'carol', by: 'uid' });
    const own = linkIn(view).link;
    rig.names.people.set('dave', before);
    rig.names.people.set('carol', before + 1);
    for (const given of [link, own])
      assert.equal(
        await outcomeOf(rig.signIns.begin(callers.portal, { user: '', by: 'link', link: given })),
        'sign-in-refused',
      );
    assert.ok((await rig.store.get('dave'))?.invite !== undefined, 'it is not used up');
  });

  it('signs in if the former record is empty', async () => {
    await rig.store.put('dave', { uid: before, lock: { codes: 9, any: 99, lockedAt: Date.now() } });
    assert.equal(done(await rig.signIns.begin(callers.portal, withPassword('dave'))).person.account, 'dave');
  });

  it('is not treated as the owner in any operation, with or without a token', async () => {
    await rig.store.put('alice', { uid: before, factors: [phone] });
    const { token } = rig.tokens.give({ account: 'alice', uid: uids.alice });
    const own = expectedCells.filter(({ operation: name, relation, cell }) => {
      const { about } = operation(name);
      return relation === 'self' && cell !== 'deny' && about !== 'none' && name !== 'factor-add-unverified';
    });
    assert.ok(own.length > 10);
    const headers = { authorization: `Bearer ${token}` };
    const calls = own.map(({ operation: name }) => {
      const { method, about } = operation(name);
      const path = pathOf(name, { user: 'alice', factor: 'aaaa', ceremony: 'c', key: 'k' });
      return { method, path: about === 'query' ? `${path}?user=alice` : path, headers };
    });
    for (const uid of [uids.alice, uids.portal]) {
      const answers = await callAs(uid, rig.socket, calls);
      const codes = answers.map(({ body }, index) => `${own[index]?.operation} ${body.error?.code}`);
      assert.deepEqual(
        codes,
        own.map(({ operation: name }) => `${name} uid-changed`),
      );
    }
    assert.deepEqual((await rig.store.get('alice'))?.factors, [phone]);
  });
});

it('with a shared uid and no password cannot change another account', async () => {
  await rig.store.put('alice', { factors: [phone] });
  rig.names.people.set('alice2', uids.alice);
  rig.passwords.without.add('alice2');
  const view = await rig.signIns.begin({ ...callers.alice }, { user: 'alice2', by: 'uid' });
  const opened = done(
    await rig.signIns.begin(callers.portal, { user: '', by: 'link', link: linkIn(view).link }),
  );
  assert.equal(opened.person.account, 'alice2');
  const headers = { authorization: `Bearer ${opened.token.token}` };
  const calls = [{ method: 'DELETE', path: `/v1/users/alice/factors/${phone.id}`, headers }];
  const codes = await Promise.all(
    [uids.alice, uids.portal].map(async (uid) => (await callAs(uid, rig.socket, calls))[0]?.body.error?.code),
  );
  assert.deepEqual(codes, ['not-permitted', 'not-permitted']);
  assert.deepEqual((await rig.store.get('alice'))?.factors, [phone]);
});

describe('root', () => {
  beforeEach(() => rig.store.put('alice', { uid: before, factors: [phone] }));

  it('sees what is stored, and that it belongs to another uid', async () => {
    assert.equal((await client.factors('alice')).length, 1);
    const reported = await client.explain('alice', { service: 'sshd' });
    assert.deepEqual([reported.decision, reported.why], ['refused', 'uid-changed']);
    const [line] = (await client.report(['alice'])).lines;
    assert.deepEqual([line?.readiness, line?.why], ['refused', 'uid-changed']);
  });

  it('adds nothing to the record of another uid', async () => {
    const until = Date.now() + 60_000;
    await assert.rejects(client.exempt('alice', { until }), changed);
    await assert.rejects(client.endExemption('alice'), changed);
    await assert.rejects(client.invite('alice', true), changed);
    await assert.rejects(client.giveBypass('alice', {}), changed);
    await assert.rejects(client.unlock('alice'), changed);
    await assert.rejects(client.disableFactor('alice', 'aaaa'), changed);
    await assert.rejects(client.addFactor('alice', { kind: 'recovery', verify: false }), changed);
    const entry = { user: 'alice', factors: [] };
    const [said] = await client.import({ source: 'oath', dryRun: false, entries: [entry] });
    assert.deepEqual([said?.outcome, said?.code], ['refused', 'uid-changed']);
    assert.equal(rig.store.commits.length, 0);
  });

  it('gets new records for the current uid', async () => {
    await client.invite('dave', true);
    await client.exempt('erin', { until: Date.now() + 60_000 });
    assert.equal((await rig.store.get('dave'))?.uid, people.dave);
    assert.equal((await rig.store.get('erin'))?.uid, people.erin);
  });
});

it('an administrator cannot change an account whose record was root’s', async () => {
  await rig.store.put('carol', { uid: 0, factors: [phone] });
  const { id } = asked(
    await (async () => {
      await rig.store.put('bob', { factors: [phone] });
      return rig.signIns.begin(callers.bob, withPassword('bob'));
    })(),
  );
  const view = await rig.signIns.answer(callers.bob, id, { kind: 'typed', answer: totp(seed) });
  const headers = { authorization: `Bearer ${done(view).token.token}` };
  const call = { method: 'POST', path: '/v1/users/carol/unlock', headers };
  const [answer] = await callAs(uids.bob, rig.socket, [call]);
  assert.equal(answer?.body.error?.code, 'not-permitted');
});
