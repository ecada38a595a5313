import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ControlError } from '../../../daemon/client/client.ts';
import { limits } from '../../../portal/limits.ts';
import { until } from '../../support/call.ts';
import { approvalView } from '../../support/fake-portal-daemon.ts';
import { ask, listenLive, type PortalRig, signIn, startPortal } from '../../support/portal-rig.ts';

let rig: PortalRig;
let cookie: string;
beforeEach(async () => {
  rig = await startPortal();
  cookie = await signIn(rig);
});
afterEach(() => rig.close());

const approval = { kind: 'approval', approval: approvalView };
const over = { kind: 'approval-over', id: 'known' };
const bobs = async (): Promise<string> => {
  const begun = await ask(rig, 'POST /api/sign-in', {
    body: { by: 'password', user: 'bob', password: 'right' },
  });
  const done = await ask(rig, `POST /api/sign-in/${String(begun.body.id)}`, {
    body: { kind: 'typed', answer: '123456' },
  });
  return done.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
};

describe('the upgrade to a WebSocket', () => {
  it('accepts a page of the portal in a session', async () => {
    assert.equal(await listenLive(rig, { cookie }).status, 101);
  });

  for (const foreign of [
    'https://evil.example',
    'null',
    'http://localhost',
    'http://localhost:8443.evil.example',
    '',
  ])
    it(`refuses the origin ${JSON.stringify(foreign)}`, async () => {
      assert.equal(await listenLive(rig, { cookie, origin: foreign }).status, 403);
      assert.equal(rig.server.pages(), 0);
    });

  it('refuses another host, a missing or ended session, and any other path', async () => {
    assert.equal(await listenLive(rig, { cookie, host: 'evil.example' }).status, 421);
    assert.equal(await listenLive(rig, {}).status, 401);
    assert.equal(await listenLive(rig, { cookie: 'sallyport=guessed' }).status, 401);
    assert.equal(await listenLive(rig, { cookie }, '/api/session').status, 404);
    assert.equal(await listenLive(rig, { cookie }, '/api/live/').status, 404);
    await ask(rig, 'POST /api/sign-out', { cookie });
    assert.equal(await listenLive(rig, { cookie }).status, 401);
  });

  it('refuses more pages of a session than allowed', async () => {
    const ears = Array.from({ length: limits.liveSocketsPerSession }, () => listenLive(rig, { cookie }));
    for (const ear of ears) assert.equal(await ear.status, 101);
    assert.equal(await listenLive(rig, { cookie }).status, 429);
    assert.equal(await listenLive(rig, { cookie: await bobs() }).status, 101);
    ears[0]?.socket.close();
    await until('room', () => rig.server.pages() === ears.length);
    assert.equal(await listenLive(rig, { cookie }).status, 101);
  });
});

describe('a page that listens', () => {
  it('receives approvals as they begin and end, over one stream a session', async () => {
    rig.daemon.approvalsNow = [approval as never];
    const first = listenLive(rig, { cookie });
    await until('the first', () => first.heard.length === 1);
    const second = listenLive(rig, { cookie });
    await until('what waits already', () => second.heard.length === 1);
    rig.daemon.tell('followApprovals', over);
    await until('the end', () => first.heard.length === 2 && second.heard.length === 2);
    assert.deepEqual(
      [first.heard, second.heard],
      [
        [approval, over],
        [approval, over],
      ],
    );
    assert.deepEqual(rig.daemon.asked.filter(([name]) => name === 'followApprovals').length, 1);
    first.socket.close();
    second.socket.close();
    await until('no stream', () => rig.daemon.streams.size === 0);
  });

  it('receives nothing of others', async () => {
    const ear = listenLive(rig, { cookie });
    await ear.status;
    await until('a stream', () => rig.daemon.streams.size === 1);
    const asked = rig.daemon.asked.find(([name]) => name === 'followApprovals');
    assert.equal(asked?.[1], 'alice');
  });

  it('is closed at sign-out, with a message', async () => {
    const ear = listenLive(rig, { cookie });
    await ear.status;
    await ask(rig, 'POST /api/sign-out', { cookie });
    assert.equal(await ear.closed, 4_001);
    assert.deepEqual(ear.heard, [{ kind: 'signed-out' }]);
    await until('nobody', () => rig.server.pages() === 0 && rig.daemon.streams.size === 0);
  });

  it('is closed when the session ends, whatever it receives', async () => {
    const ear = listenLive(rig, { cookie });
    await ear.status;
    rig.clock.ahead += limits.sessionIdle;
    rig.sessions.sweep();
    assert.equal(await ear.closed, 4_001);
  });

  it('is not told of an end when the session is renewed', async () => {
    const ear = listenLive(rig, { cookie });
    await ear.status;
    const renewed = await signIn(rig, { cookie });
    assert.equal(await ear.closed, 4_002);
    assert.deepEqual(ear.heard, []);
    assert.equal(await listenLive(rig, { cookie: renewed }).status, 101);
  });

  it('ends its session when the daemon no longer knows the token', async () => {
    rig.daemon.tokens.clear();
    const ear = listenLive(rig, { cookie });
    assert.equal(await ear.closed, 4_001);
    assert.equal(rig.sessions.count(), 0);
  });

  it('continues when the daemon was unavailable', async () => {
    rig.daemon.fails = new ControlError('daemon-unreachable', 'away');
    const ear = listenLive(rig, { cookie });
    await until('a stream again', () => rig.daemon.streams.size === 1, 60_000);
    rig.daemon.tell('followApprovals', approval);
    await until('it', () => ear.heard.length === 1);
    assert.equal(rig.sessions.count(), 1);
  });

  it('receives the audit trail on request by an administrator', async () => {
    const event = { seq: 5, at: 1 };
    const admin = listenLive(rig, { cookie: await bobs() });
    const user = listenLive(rig, { cookie });
    await Promise.all([admin.status, user.status]);
    for (const { socket } of [admin, user]) socket.send(JSON.stringify({ kind: 'follow-audit' }));
    await until('a stream', () => rig.daemon.namesAsked().includes('follow'));
    rig.daemon.tell('follow', event);
    await until('an event', () => admin.heard.length === 1);
    assert.deepEqual(admin.heard, [{ kind: 'audit', event }]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(user.heard, []);
    assert.equal(rig.daemon.namesAsked().filter((name) => name === 'follow').length, 1);
  });

  for (const [what, message] of [
    ['anything else', '{"kind":"x"}'],
    ['what is no JSON', 'x'],
    ['bytes', Buffer.from('{"kind":"follow-audit"}')],
  ] as const)
    it(`is closed when it sends ${what}`, async () => {
      const ear = listenLive(rig, { cookie });
      await ear.status;
      ear.socket.send(message);
      assert.equal(await ear.closed, 1_008);
    });

  it('is closed when it sends too much, at once or in all', async () => {
    const long = listenLive(rig, { cookie });
    await long.status;
    long.socket.send(JSON.stringify({ kind: 'follow-audit', more: 'x'.repeat(limits.liveMessage) }));
    assert.ok([1_006, 1_009].includes(await long.closed));
    const often = listenLive(rig, { cookie });
    await often.status;
    for (let n = 0; n <= limits.liveMessages; n++) often.socket.send('{"kind":"follow-audit"}');
    assert.equal(await often.closed, 1_008);
  });
});
