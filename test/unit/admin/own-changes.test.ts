import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Holder } from '../../../daemon/api/access.ts';
import { route } from '../../../daemon/api/routes.ts';
import { type Authorise, createAuthorise } from '../../../daemon/control/authorise.ts';
import { codeOf } from '../../../daemon/lib/errors.ts';
import { limits } from '../../../daemon/limits.ts';
import { held } from '../../support/held.ts';
import { FakeAccounts, FakeClock } from '../../support/verifier-rig.ts';

const { burst, forgetOneIn } = limits.ownChanges.rate;
const person = (uid: number, admin = false): Holder => ({
  uid,
  root: false,
  portal: false,
  admin,
  fresh: true,
});
const holders: Readonly<Record<string, Holder>> = { alices: person(1_000), bobs: person(1_001, true) };
const portal = 900;

describe('changes of one’s own account', () => {
  let clock: FakeClock;
  let authorise: Authorise;
  let slow: ReturnType<typeof held>;
  beforeEach(() => {
    const accounts = new FakeAccounts();
    accounts.add('alice', 1_000);
    accounts.add('bob', 1_001, { admins: 'member' });
    clock = new FakeClock();
    slow = held();
    authorise = createAuthorise({
      accounts,
      tokens: {
        holder: (token) =>
          token === 'slow' ? slow.promise.then(() => undefined) : Promise.resolve(holders[token]),
      },
      adminGroup: () => 'admins',
      rootUids: new Set([0]),
      portalUid: async () => portal,
      recordOf: async () => undefined,
      monotonic: clock.monotonic,
    });
  });
  const asks = async (uid: number, token: string | undefined, path: string, method = 'POST') => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return authorise(uid, route(method, path), headers).then(
      () => 'allowed',
      (error: unknown) => codeOf(error),
    );
  };
  const rename = '/v1/users/alice/factors/t1/rename';
  const many = async (count: number, ask: () => Promise<string>): Promise<readonly string[]> => {
    const said: string[] = [];
    for (let each = 0; each < count; each += 1) said.push(await ask());
    return said;
  };

  it('are limited to a burst, and then one a second', async () => {
    const said = await many(burst + 20, () => asks(1_000, 'alices', rename));
    assert.deepEqual(
      said.slice(0, burst),
      Array.from({ length: burst }, () => 'allowed'),
    );
    assert.deepEqual([...new Set(said.slice(burst))], ['too-many-changes']);
    clock.pass(forgetOneIn);
    assert.deepEqual(await many(2, () => asks(1_000, 'alices', rename)), ['allowed', 'too-many-changes']);
  });

  it('are limited through the portal as well, without affecting others', async () => {
    await many(burst, () => asks(1_000, 'alices', rename));
    assert.equal(await asks(portal, 'alices', rename), 'too-many-changes');
    assert.equal(await asks(portal, 'bobs', '/v1/users/bob/factors/t1/rename'), 'allowed');
    // Reads do not count, and an administrator or root may still help.
    assert.equal(await asks(1_000, 'alices', '/v1/users/alice', 'GET'), 'allowed');
    assert.equal(await asks(1_001, 'bobs', rename), 'allowed');
    assert.equal(await asks(0, undefined, rename), 'allowed');
  });

  it('through the portal wait for no other user whose account lookup is slow', async () => {
    // The first request tells the portal's uid.
    await asks(portal, 'bobs', '/v1/users/bob', 'GET');
    const waits = asks(portal, 'slow', rename);
    assert.equal(await asks(portal, 'bobs', '/v1/users/bob/factors/t1/rename'), 'allowed');
    slow.release();
    assert.equal(await waits, 'token-needed');
  });

  it('do not limit what an administrator does to others', async () => {
    assert.deepEqual([...new Set(await many(burst + 20, () => asks(1_001, 'bobs', rename)))], ['allowed']);
  });
});
