import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Holder } from '../../../daemon/api/access.ts';
import {
  type CallerRole,
  type OperationName,
  operation,
  type Permission,
} from '../../../daemon/api/operations.ts';
import { pathOf } from '../../../daemon/api/routes.ts';
import { beginsToFollow, callAs, type RawAnswer, type RawCall } from '../../support/call-as.ts';
import { type ControlRig, startControl, uids } from '../../support/control-rig.ts';
import { expectedCells } from './access-table.ts';

/** Every cell of the table again, requested by processes that really run as those uids. */

const persons: Readonly<Record<string, Holder>> = {
  bobs: { uid: uids.bob, root: false, portal: false, admin: true, fresh: true },
  alices: { uid: uids.alice, root: false, portal: false, admin: false, fresh: true },
};
let rig: ControlRig;

before(async () => {
  rig = await startControl({ tokens: { holder: async (token) => persons[token] } });
});
after(() => rig.close());

const askers: Readonly<Record<CallerRole, { readonly uid: number; readonly about: string }>> = {
  root: { uid: uids.root, about: 'alice' },
  admin: { uid: uids.bob, about: 'alice' },
  adminOfRoot: { uid: uids.bob, about: 'root' },
  self: { uid: uids.alice, about: 'alice' },
  other: { uid: uids.carol, about: 'alice' },
  portal: { uid: uids.portal, about: 'alice' },
  notify: { uid: uids.notify, about: 'alice' },
};

const bodies: Partial<Record<OperationName, object>> = {
  'factor-add': { kind: 'recovery', verify: true },
  'factor-add-unverified': {
    kind: 'totp',
    verify: false,
    secret: 'MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=',
    digits: 6,
    period: 30,
    algorithm: 'sha1',
  },
  'factor-rename': { name: 'new' },
  verify: { answer: '000000' },
};

function callFor(name: OperationName, about: string, token?: string): RawCall {
  const { method, about: whose } = operation(name);
  const path = pathOf(name, { user: about, realm: 'staff', factor: 'none' });
  const query = name === 'explain' ? '?service=sshd' : whose === 'query' ? `?user=${about}` : '';
  const body = bodies[name];
  return {
    method,
    path: `${path}${query}`,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
  };
}

/** A stream never ends by itself, and a case within an operation is subject to that operation's cell first. */
const asked = (relation: CallerRole) =>
  expectedCells.filter(
    (cell) =>
      cell.relation === relation &&
      !cell.operation.endsWith('-follow') &&
      operation(cell.operation).within === undefined,
  );

/** Operations that concern no account have no root account and no own account: the caller is itself. */
function seen(relation: CallerRole, name: OperationName, cell: Permission): Permission {
  if (operation(name).about !== 'none' || relation !== 'adminOfRoot') return cell;
  return expectedCells.find((one) => one.operation === name && one.relation === 'admin')?.cell ?? 'deny';
}

function evaluate(name: OperationName, cell: Permission, { status, body }: RawAnswer): void {
  const code = body.error?.code;
  if (cell === 'allow') assert.notEqual(status, 403, `${name}: ${code}`);
  else assert.equal(code, cell === 'deny' ? 'not-permitted' : 'token-needed', name);
}

for (const [relation, { uid, about }] of Object.entries(askers) as [
  CallerRole,
  { uid: number; about: string },
][]) {
  test(`${relation} (uid ${uid} about ${about}) over a real socket`, async () => {
    const cells = asked(relation);
    const calls = cells.map((cell) => callFor(cell.operation, about));
    const answers = await callAs(uid, rig.socket, calls);
    assert.equal(answers.length, cells.length);
    for (const [index, { operation: name, cell }] of cells.entries()) {
      const answer = answers[index];
      assert.ok(answer);
      evaluate(name, seen(relation, name, cell), answer);
    }
  });
}

test('sallyport-notify follows events over a real socket', async () => {
  assert.equal(await beginsToFollow(uids.notify, rig.socket), 200);
  assert.equal(await beginsToFollow(uids.carol, rig.socket), 403);
});

test('audit-follow is refused over a real socket to callers without permission', async () => {
  const [carol] = await callAs(uids.carol, rig.socket, [callFor('audit-follow', 'alice')]);
  assert.equal(carol?.body.error?.code, 'not-permitted');
  const [all] = await callAs(uids.alice, rig.socket, [{ method: 'GET', path: '/v1/audit/follow' }]);
  assert.equal(all?.body.error?.code, 'not-permitted');
});

test('without a code only root adds a factor, whatever token others have', async () => {
  const proven = (token: string) => callFor('factor-add', 'alice', token);
  const unverified = (token?: string) => callFor('factor-add-unverified', 'alice', token);
  const code = (answer: RawAnswer | undefined) => answer?.body.error?.code ?? answer?.status;
  for (const [uid, token] of [
    [uids.bob, 'bobs'],
    [uids.alice, 'alices'],
    [uids.portal, 'bobs'],
  ] as const)
    assert.deepEqual((await callAs(uid, rig.socket, [proven(token), unverified(token)])).map(code), [
      200,
      'not-permitted',
    ]);
  assert.equal(code((await callAs(uids.carol, rig.socket, [unverified()]))[0]), 'not-permitted');
  assert.equal(code((await callAs(uids.root, rig.socket, [unverified()]))[0]), 200);
});

test("the portal acts with a user's token, as that user", async () => {
  await rig.store.put('alice', { lock: { codes: 3, any: 3 } });
  const [show, unlock, reload] = await callAs(uids.portal, rig.socket, [
    callFor('user-show', 'alice', 'bobs'),
    callFor('user-unlock', 'alice', 'bobs'),
    callFor('reload', '', 'bobs'),
  ]);
  assert.equal(show?.status, 200);
  assert.equal(unlock?.status, 200);
  assert.equal(reload?.body.error?.code, 'not-permitted');
  assert.equal(rig.store.trail.at(-1)?.actor, `uid:${uids.bob}`);
});

test('another user’s token is useless', async () => {
  const [answer] = await callAs(uids.alice, rig.socket, [callFor('factor-remove', 'alice', 'bobs')]);
  assert.equal(answer?.body.error?.code, 'token-needed');
});

test('only administrators can distinguish a name without an account', async () => {
  const call = callFor('user-show', 'nobody-there');
  const [carol] = await callAs(uids.carol, rig.socket, [call]);
  const [bob] = await callAs(uids.bob, rig.socket, [call]);
  assert.equal(carol?.body.error?.code, 'not-permitted');
  assert.equal(bob?.body.error?.code, 'no-such-account');
});

test('a member of the admin group has no privileges while NSS is unavailable, and is told so', async () => {
  rig.names.away = true;
  try {
    const [bob] = await callAs(uids.bob, rig.socket, [callFor('user-list', '')]);
    assert.equal(bob?.body.error?.code, 'accounts-unavailable');
  } finally {
    rig.names.away = false;
  }
});

test('one uid has one NSS lookup at a time', async () => {
  rig.names.most = 0;
  rig.names.slow = 20;
  const calls = Array.from({ length: 8 }, () => callFor('user-list', ''));
  const answers = await callAs(uids.bob, rig.socket, calls, { atOnce: true });
  rig.names.slow = 0;
  assert.deepEqual(
    answers.map(({ status }) => status),
    Array(8).fill(200),
  );
  assert.equal(rig.names.most, 1);
});

test('only administrators can see whether a record is left behind', async () => {
  await rig.store.put('gone', {});
  rig.store.damage('gone');
  const call = callFor('user-show', 'gone');
  const [carol] = await callAs(uids.carol, rig.socket, [call]);
  const [bob] = await callAs(uids.bob, rig.socket, [call]);
  assert.equal(carol?.body.error?.code, 'not-permitted');
  assert.equal(bob?.body.error?.code, 'record-damaged');
});
