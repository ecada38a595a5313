import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { callAs } from '../../support/call-as.ts';
import { type ControlRig, startControl, uids } from '../../support/control-rig.ts';
import { callers, done, knows, linkIn, realms } from '../../support/sign-ins.ts';
import { phone } from '../control/records.ts';

/** Two accounts with one uid, of which one has no password and no factor. */

let rig: ControlRig;
beforeEach(async () => {
  rig = await startControl({ config: realms });
  knows(rig);
  rig.names.people.set('alias', uids.alice);
  rig.passwords.without.add('alias');
  await rig.store.put('alice', { factors: [phone] });
});
afterEach(() => rig.close());

async function changes(token: string, account: string, uid: number): Promise<string[]> {
  const requests = ['DELETE factors/aaaa', 'POST factors/aaaa/disable', 'POST unlock'].map((request) => {
    const [method = '', path = ''] = request.split(' ');
    return { method, path: `/v1/users/${account}/${path}`, headers: { authorization: `Bearer ${token}` } };
  });
  return (await callAs(uid, rig.socket, requests)).map(({ body }) => body.error?.code ?? 'done');
}

async function tokenOfAlias(): Promise<string> {
  const { link } = linkIn(await rig.signIns.begin(callers.alice, { user: 'alias', by: 'uid' }));
  return done(await rig.signIns.begin(callers.portal, { user: '', by: 'link', link })).token.token;
}

describe('a token of another account with the same uid', () => {
  it('that a program of that uid got without a password changes nothing of the account', async () => {
    const token = await tokenOfAlias();
    for (const caller of [uids.alice, uids.portal])
      for (const outcome of await changes(token, 'alice', caller)) assert.equal(outcome, 'not-permitted');
    assert.deepEqual(
      (await rig.store.get('alice'))?.factors.map(({ id, enabled }) => [id, enabled]),
      [['aaaa', true]],
    );
  });

  it('is valid for its own account', async () => {
    const token = await tokenOfAlias();
    assert.equal((await changes(token, 'alias', uids.alice))[0], 'no-such-factor');
    assert.equal((await changes(token, 'alias', uids.portal))[0], 'no-such-factor');
  });

  it('reads nothing of the account at the portal', async () => {
    const request = {
      method: 'GET',
      path: '/v1/users/alice',
      headers: { authorization: `Bearer ${await tokenOfAlias()}` },
    };
    const [answer] = await callAs(uids.portal, rig.socket, [request]);
    assert.equal(answer?.body.error?.code, 'not-permitted');
  });
});
