import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { call } from '../../support/call.ts';
import { callAs, type RawAnswer, type RawCall } from '../../support/call-as.ts';
import { totp } from '../../support/codes.ts';
import { type ControlRig, startControl, uids } from '../../support/control-rig.ts';
import { knows, people, realms } from '../../support/sign-ins.ts';
import { phone, seed } from '../control/records.ts';

/** Sign-ins and tokens on the real socket, by processes that really run as those uids. */

let rig: ControlRig;
before(async () => {
  rig = await startControl({ config: realms });
  knows(rig);
});
after(() => rig.close());

const signIn = (user: string, more: object = {}): RawCall => ({
  method: 'POST',
  path: '/v1/sign-ins',
  body: JSON.stringify({ user, by: 'password', password: `password of ${user}`, ...more }),
});
const withToken = (token: string, method: string, path: string, body?: object): RawCall => ({
  method,
  path,
  headers: { authorization: `Bearer ${token}` },
  ...(body === undefined ? {} : { body: JSON.stringify(body) }),
});
const codeIn = ({ status, body }: RawAnswer | { status: 0; body: { error?: never } }) =>
  status === 200 ? 'ok' : (body.error?.code ?? String(status));
const one = async (uid: number, asked: RawCall): Promise<RawAnswer> => {
  const [answer] = await callAs(uid, rig.socket, [asked]);
  assert.ok(answer !== undefined);
  return answer;
};

interface Step {
  readonly kind: string;
  readonly token?: { readonly token: string };
}
const stepIn = ({ body }: RawAnswer) => body.step as Step;
const tokenIn = (answer: RawAnswer): string => {
  const { token } = stepIn(answer) ?? {};
  assert.ok(token !== undefined, JSON.stringify(answer.body));
  return token.token;
};
const tokenOf = async (user: string, uid: number) => tokenIn(await one(uid, signIn(user)));
const newFactor = { kind: 'recovery', verify: true };

describe('a user without root', () => {
  it('changes its own factors with its token, and no others', async () => {
    const token = await tokenOf('carol', uids.carol);
    const answers = await callAs(uids.carol, rig.socket, [
      { method: 'POST', path: '/v1/users/carol/factors', body: JSON.stringify(newFactor) },
      withToken(token, 'POST', '/v1/users/carol/factors', newFactor),
      withToken(token, 'POST', '/v1/users/alice/factors', newFactor),
      withToken(token, 'POST', '/v1/users/root/factors', newFactor),
      withToken(token, 'POST', '/v1/users/nobody/factors', newFactor),
      withToken(token, 'GET', '/v1/users'),
    ]);
    const denied = 'not-permitted';
    assert.deepEqual(answers.map(codeIn), ['token-needed', 'ok', denied, denied, denied, denied]);
    assert.equal(rig.store.trail.at(-1)?.actor, `uid:${uids.carol}`);
    await rig.store.put('carol', { factors: [] });
  });

  it("cannot use another user's token, nor an administrator’s", async () => {
    const bobs = await tokenOf('bob', uids.bob);
    const answers = await callAs(uids.carol, rig.socket, [
      withToken(bobs, 'POST', '/v1/users/carol/factors', newFactor),
      withToken(bobs, 'POST', '/v1/users/alice/factors', newFactor),
      withToken(bobs, 'GET', '/v1/users'),
    ]);
    assert.deepEqual(answers.map(codeIn), ['token-needed', 'not-permitted', 'not-permitted']);
  });

  it('signs in only as itself', async () => {
    assert.equal(codeIn(await one(uids.carol, signIn('alice'))), 'not-permitted');
    assert.equal(codeIn(await one(uids.bob, signIn('carol'))), 'not-permitted');
  });

  it('as an administrator changes others’ factors, except root’s', async () => {
    const token = await tokenOf('bob', uids.bob);
    const answers = await callAs(uids.bob, rig.socket, [
      { method: 'POST', path: '/v1/users/alice/invite', body: '{"withoutPassword":false}' },
      withToken(token, 'POST', '/v1/users/alice/invite', { withoutPassword: false }),
      withToken(token, 'POST', '/v1/users/root/invite', { withoutPassword: true }),
      withToken(token, 'POST', '/v1/users/bob/invite', { withoutPassword: true }),
      withToken(token, 'POST', '/v1/users/alice/unlock', {}),
      withToken(token, 'POST', '/v1/users/root/unlock', {}),
      withToken(token, 'POST', '/v1/reload', {}),
    ]);
    const denied = 'not-permitted';
    assert.deepEqual(answers.map(codeIn), ['token-needed', 'ok', denied, denied, 'ok', denied, denied]);
  });

  it('as an administrator without the required factor administers only its own account', async () => {
    rig.names.admins.add('dave');
    const token = await tokenOf('dave', people.dave);
    const answers = await callAs(people.dave, rig.socket, [
      withToken(token, 'POST', '/v1/users/alice/invite', { withoutPassword: true }),
      withToken(token, 'POST', '/v1/users/carol/factors', newFactor),
      withToken(token, 'POST', '/v1/users/dave/factors', newFactor),
    ]);
    assert.deepEqual(answers.map(codeIn), ['not-permitted', 'not-permitted', 'ok']);
    await rig.store.put('dave', { factors: [] });
    const [users, other] = await callAs(uids.portal, rig.socket, [
      withToken(token, 'GET', '/v1/users'),
      withToken(token, 'POST', '/v1/users/carol/factors', newFactor),
    ]);
    assert.deepEqual(
      [users, other].map((answer) => answer && codeIn(answer)),
      ['not-permitted', 'not-permitted'],
    );
    rig.names.admins.delete('dave');
  });
});

describe('the portal', () => {
  it('does nothing by itself, and as a user what that user may', async () => {
    const token = tokenIn(await one(uids.portal, signIn('carol')));
    const answers = await callAs(uids.portal, rig.socket, [
      { method: 'GET', path: '/v1/users/carol' },
      withToken('made-up', 'GET', '/v1/users/carol'),
      withToken(token, 'GET', '/v1/users/carol'),
      withToken(token, 'GET', '/v1/users/alice'),
      withToken(token, 'GET', '/v1/users'),
      withToken(token, 'GET', '/v1/audit'),
      withToken(token, 'POST', '/v1/users/alice/factors', newFactor),
      withToken(token, 'GET', '/v1/users/alice/approvals/follow'),
    ]);
    const [none, madeUp, own, ...others] = answers.map(codeIn);
    assert.deepEqual([none, madeUp, own], ['token-needed', 'token-needed', 'ok']);
    assert.deepEqual(new Set(others), new Set(['not-permitted']));
  });

  it('cannot use its own account, administrator or not, for anything', async () => {
    const token = tokenIn(await one(uids.portal, signIn('portal')));
    const answers = await callAs(uids.portal, rig.socket, [
      withToken(token, 'GET', '/v1/users'),
      withToken(token, 'GET', '/v1/users/portal'),
      withToken(token, 'POST', '/v1/users/alice/factors', newFactor),
    ]);
    assert.deepEqual(new Set(answers.map(codeIn)), new Set(['not-permitted']));
  });

  it('reads with an old token, and changes nothing', async () => {
    const token = tokenIn(await one(uids.portal, signIn('carol')));
    rig.clock.mono += 5 * 60_000;
    const answers = await callAs(uids.portal, rig.socket, [
      withToken(token, 'GET', '/v1/users/carol'),
      withToken(token, 'POST', '/v1/users/carol/factors', newFactor),
    ]);
    assert.deepEqual(answers.map(codeIn), ['ok', 'token-needed']);
  });

  it('ends a token: it becomes invalid, and no other does', async () => {
    const [one1, two] = [signIn('carol'), signIn('carol')];
    const [first, second] = (await callAs(uids.portal, rig.socket, [one1, two])).map(tokenIn);
    const answers = await callAs(uids.portal, rig.socket, [
      withToken(first ?? '', 'DELETE', '/v1/tokens'),
      withToken(first ?? '', 'GET', '/v1/users/carol'),
      withToken(second ?? '', 'GET', '/v1/users/carol'),
      { method: 'DELETE', path: '/v1/tokens' },
    ]);
    assert.deepEqual(answers.map(codeIn), ['ok', 'token-needed', 'ok', 'ok']);
  });

  it('does not find a sign-in that another client began', async () => {
    await rig.store.put('carol', { factors: [phone] });
    const begun = await one(uids.carol, signIn('carol'));
    assert.equal(stepIn(begun).kind, 'factor');
    const answer = {
      method: 'POST',
      path: `/v1/sign-ins/${String(begun.body.id)}`,
      body: JSON.stringify({ kind: 'typed', answer: totp(seed) }),
    };
    assert.equal(codeIn(await one(uids.portal, answer)), 'no-such-sign-in');
    assert.equal(codeIn(await one(uids.bob, answer)), 'no-such-sign-in');
    assert.equal(codeIn(await one(uids.carol, answer)), 'ok');
    await rig.store.put('carol', { factors: [] });
  });
});

describe('root', () => {
  it('that sends a token has the rights of its holder, and with an ended one none', async () => {
    const token = tokenIn(await one(uids.root, signIn('carol')));
    const codes = async () => [
      codeIn(await call(rig.socket, withToken(token, 'GET', '/v1/users/carol'))),
      codeIn(await call(rig.socket, withToken(token, 'GET', '/v1/users/alice'))),
      codeIn(await call(rig.socket, withToken(token, 'POST', '/v1/reload', {}))),
    ];
    assert.deepEqual(await codes(), ['ok', 'not-permitted', 'not-permitted']);
    rig.tokens.end(token);
    assert.deepEqual(await codes(), ['token-needed', 'token-needed', 'not-permitted']);
    assert.equal(codeIn(await call(rig.socket, { method: 'GET', path: '/v1/users/alice' })), 'ok');
  });

  it('with a header that is not a token has none either', async () => {
    for (const authorization of ['', 'Bearer ', 'Basic eDp5', 'Bearer a b']) {
      const asked = { method: 'GET', path: '/v1/users', headers: { authorization } };
      assert.equal(codeIn(await call(rig.socket, asked)), 'token-needed', authorization);
    }
  });
});

describe('a request', () => {
  it('that is invalid reveals nothing of its content', async () => {
    const bodies = [
      { user: 'carol', by: 'password', password: '' },
      { user: 'carol', by: 'password', password: 'hunter2', more: 1 },
      { user: 'carol', by: 'magic', password: 'hunter2' },
      { user: 'x'.repeat(257), by: 'password', password: 'hunter2' },
      { user: 'carol', by: 'password', password: 'hunter2'.repeat(200) },
      { user: 'carol', by: 'link', link: 'hunter2'.repeat(100) },
    ];
    for (const body of bodies) {
      const asked = { method: 'POST', path: '/v1/sign-ins', body: JSON.stringify(body) };
      const answer = await call(rig.socket, asked);
      assert.equal(codeIn(answer), 'bad-request');
      assert.ok(!JSON.stringify(answer.body).includes('hunter2'));
    }
    assert.ok(!JSON.stringify(rig.logged).includes('hunter2'));
  });
});
