import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createClient } from '../../../daemon/client/client.ts';
import { callAs } from '../../support/call-as.ts';
import { type ControlRig, startControl, uids } from '../../support/control-rig.ts';
import { callers, knows, people, realms, withPassword } from '../../support/sign-ins.ts';
import { softKey } from '../../support/soft-keys.ts';
import { sshSkRecord } from '../../support/ssh-keys.ts';
import { recoveryFactor } from '../../support/verifier-rig.ts';
import { fob, phone } from '../control/records.ts';

/** The last factor that a realm requires: users cannot remove it themselves. */

const webauthn = '[webauthn]\nrp_id = "login.example.org"\n\n';

let rig: ControlRig;
beforeEach(async () => {
  rig = await startControl({ config: realms });
  knows(rig);
});
afterEach(() => rig.close());

/** Each a change by the account itself, with a fresh token. */
async function bySelf(account: string, uid: number, ...changes: readonly string[]): Promise<string[]> {
  const { token } = rig.tokens.give({ account, uid });
  const answers = await callAs(
    uid,
    rig.socket,
    changes.map((change) => {
      const [method = '', path = ''] = change.split(' ');
      const headers = { authorization: `Bearer ${token}` };
      return { method, path: `/v1/users/${account}/factors/${path}`, headers };
    }),
  );
  return answers.map(({ body }) => body.error?.code ?? 'done');
}
const alice = (...changes: readonly string[]) => bySelf('alice', uids.alice, ...changes);
const remove = (id: string) => `DELETE ${id}`;
const disable = (id: string) => `POST ${id}/disable`;
const enable = (id: string) => `POST ${id}/enable`;
const kept = async (account = 'alice') => (await rig.store.get(account))?.factors.map(({ id }) => id);

describe('one’s own last factor', () => {
  for (const [what, change] of [
    ['removed', remove],
    ['disabled', disable],
  ] as const)
    it(`is not ${what} if the realm requires one, and nothing is stored of the attempt`, async () => {
      await rig.store.put('alice', { factors: [phone] });
      const commits = rig.store.commits.length;
      assert.deepEqual(await alice(change('aaaa')), ['last-factor']);
      assert.equal(rig.store.commits.length, commits);
      assert.deepEqual(await kept(), ['aaaa']);
    });

  it('may be removed while another one is accepted, which then may not', async () => {
    await rig.store.put('alice', { factors: [phone, fob] });
    assert.deepEqual(await alice(remove('aaaa'), remove('bbbb'), disable('bbbb')), [
      'done',
      'last-factor',
      'last-factor',
    ]);
  });

  it('may not be removed while the other is disabled, and may once that is enabled', async () => {
    await rig.store.put('alice', { factors: [phone, { ...fob, enabled: false }] });
    assert.deepEqual(await alice(remove('aaaa'), enable('bbbb'), remove('aaaa')), [
      'last-factor',
      'done',
      'done',
    ]);
  });

  it('may not be removed for one that the realm does not accept', async () => {
    const elsewhere = softKey({ rpId: 'old.example.org' });
    await rig.store.put('alice', { factors: [phone, elsewhere.record] });
    assert.deepEqual(await alice(remove('aaaa'), remove('w1')), ['last-factor', 'done']);
  });

  it('may not be removed while only recovery keys are left: they run out, and are no replacement', async () => {
    await rig.store.put('alice', { factors: [phone, recoveryFactor()] });
    assert.deepEqual(await alice(remove('aaaa'), disable('aaaa'), disable('r1'), remove('r1')), [
      'last-factor',
      'last-factor',
      'done',
      'done',
    ]);
    assert.deepEqual(await kept(), ['aaaa']);
  });

  it('may not be removed while only scratch codes or a bypass code is left, in every realm that requires one', async () => {
    const { id: _, kind: __, ...sets } = recoveryFactor();
    const scratch = { ...sets, id: 's1', kind: 'scratch', digits: 8 } as const;
    const { hashes: ___, ...salted } = { ...sets, hashes: [] };
    const bypass = { ...salted, id: 'b1', kind: 'bypass', hash: 'AA==', until: Date.now() + 60_000 } as const;
    for (const require of ['"any"', '["totp"]', '["totp", "webauthn"]']) {
      rig.setConfig(`${webauthn}[[realm]]\nname = "all"\nrequire = ${require}\n`);
      await createClient({ socket: rig.socket }).reload();
      await rig.store.put('carol', { factors: [phone, recoveryFactor(), scratch, bypass] });
      const changes = await bySelf('carol', uids.carol, remove('aaaa'), disable('aaaa'));
      assert.deepEqual(changes, ['last-factor', 'last-factor'], require);
    }
  });

  it('may not be removed for an ssh key, which has another use', async () => {
    await rig.store.put('alice', { factors: [phone, sshSkRecord('blue')] });
    assert.deepEqual(await alice(remove('aaaa'), disable('aaaa')), ['last-factor', 'last-factor']);
  });

  it('may not be removed if it is recovery keys: they still allow logins', async () => {
    await rig.store.put('alice', { factors: [recoveryFactor()] });
    assert.deepEqual(await alice(remove('r1')), ['last-factor']);
  });

  it('may not be removed while its realm is unknown', async () => {
    rig.setConfig(
      '[[realm]]\nname = "g"\nmembers = { groups = ["lost"] }\nrequire = "none"\n[[realm]]\nname = "all"\nrequire = "none"\n',
    );
    await createClient({ socket: rig.socket }).reload();
    await rig.store.put('alice', { factors: [phone] });
    rig.names.lost.add('lost');
    assert.deepEqual(await alice('DELETE aaaa?confirmed=true'), ['last-factor']);
    rig.names.lost.clear();
    assert.deepEqual(await alice('DELETE aaaa?confirmed=true'), ['done']);
  });

  it('may not be removed for used-up recovery keys', async () => {
    const { hashes, ...paper } = recoveryFactor();
    const usedUp = { ...paper, hashes: hashes.map(() => null) };
    await rig.store.put('alice', { factors: [phone, usedUp] });
    assert.deepEqual(await alice(remove('aaaa'), remove('r1')), ['last-factor', 'done']);
  });

  it('is not removed by two concurrent changes', async () => {
    await rig.store.put('alice', { factors: [phone, fob] });
    const { token } = rig.tokens.give({ account: 'alice', uid: uids.alice });
    const headers = { authorization: `Bearer ${token}` };
    const both = ['aaaa', 'bbbb'].map((id) => ({
      method: 'DELETE',
      path: `/v1/users/alice/factors/${id}`,
      headers,
    }));
    const answers = await callAs(uids.alice, rig.socket, both, { atOnce: true });
    assert.deepEqual(answers.map(({ body }) => body.error?.code ?? 'done').sort(), ['done', 'last-factor']);
    assert.equal((await kept())?.length, 1);
  });

  it('may be removed if none is required, once its owner was warned that no factor will be asked for', async () => {
    await rig.store.put('carol', { factors: [phone, recoveryFactor()] });
    const yes = '?confirmed=true';
    const changes = [remove('r1'), disable('aaaa'), disable(`aaaa`) + yes, remove('aaaa')];
    assert.deepEqual(await bySelf('carol', uids.carol, ...changes), ['done', 'yes-needed', 'done', 'done']);
  });

  it('may not be removed for a grace period, nor for enrolment at login', async () => {
    for (const user of ['dave', 'erin'] as const) {
      await rig.store.put(user, { factors: [phone], graceStarted: Date.now() - 1_000 });
      assert.deepEqual(await bySelf(user, people[user], remove('aaaa')), ['last-factor'], user);
    }
  });

  it('may not be removed during a lockout: a lockout is no reason', async () => {
    await rig.store.put('alice', { factors: [phone], lock: { codes: 0, any: 10, lockedAt: Date.now() } });
    assert.deepEqual(await alice(remove('aaaa')), ['last-factor']);
  });
});

describe('another user’s last factor', () => {
  it('is removed by root, and by an administrator', async () => {
    const client = createClient({ socket: rig.socket });
    await rig.store.put('alice', { factors: [phone] });
    await assert.rejects(client.disableFactor('alice', 'aaaa'), {
      code: 'yes-needed',
      message: /no factor left/,
    });
    assert.match((await client.disableFactor('alice', 'aaaa', true)).warning ?? '', /no factor left/);
    await rig.store.put('alice', { factors: [phone, recoveryFactor()] });
    const runsOut = { code: 'yes-needed', message: /single-use.*"staff" requires another/ };
    await assert.rejects(client.removeFactor('alice', 'aaaa'), runsOut);
    await rig.store.put('alice', { factors: [phone] });
    const view = await rig.signIns.begin(callers.bob, withPassword('bob'));
    assert.ok(view.step.kind === 'done');
    const headers = { authorization: `Bearer ${view.step.token.token}` };
    const asked = { method: 'DELETE', path: '/v1/users/alice/factors/aaaa', headers };
    const yes = { ...asked, path: `${asked.path}?confirmed=true` };
    const [unasked, answer] = await callAs(uids.bob, rig.socket, [asked, yes]);
    assert.equal(unasked?.body.error?.code, 'yes-needed');
    assert.equal(answer?.status, 200);
    assert.equal(rig.store.trail.at(-1)?.reason, 'by-admin');
  });

  it('including root’s own, by root at the machine: no one else can', async () => {
    await rig.store.put('root', { factors: [phone] });
    const client = createClient({ socket: rig.socket });
    assert.equal((await client.removeFactor('root', 'aaaa', true)).changed, true);
  });

  it('is not removed by root in a browser', async () => {
    await rig.store.put('root', { factors: [phone] });
    const { token } = rig.tokens.give({ account: 'root', uid: 0 });
    const client = createClient({ socket: rig.socket, token });
    await assert.rejects(client.removeFactor('root', 'aaaa', true), { code: 'last-factor' });
  });
});
