import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { limits } from '../../../portal/limits.ts';
import {
  ask,
  codeIn,
  cookieIn,
  loopbackProxy,
  type PortalRig,
  secureOrigin,
  signIn,
  startPortal,
} from '../../support/portal-rig.ts';

let rig: PortalRig;
beforeEach(async () => {
  rig = await startPortal();
});
afterEach(() => rig.close());

const minutes = 60_000;
const person = async (cookie: string) => (await ask(rig, 'GET /api/session', { cookie })).body.person;
const mine = (cookie: string) => ask(rig, 'GET /api/users/alice', { cookie });

describe('signing in', () => {
  it('creates a session, and shows the token to no client', async () => {
    const begun = await ask(rig, 'POST /api/sign-in', {
      body: { by: 'password', user: 'alice', password: 'right' },
    });
    assert.deepEqual(begun.body, { id: 'signin-1', step: { kind: 'factor', typed: 'Verification code' } });
    assert.equal(cookieIn(begun), undefined);
    const wrong = await ask(rig, 'POST /api/sign-in/signin-1', { body: { kind: 'typed', answer: '0' } });
    assert.equal(cookieIn(wrong), undefined);
    const done = await ask(rig, 'POST /api/sign-in/signin-1', { body: { kind: 'typed', answer: '123456' } });
    const { step } = done.body as { step: { kind: string; session: { person: unknown } } };
    assert.deepEqual(
      [step.kind, step.session.person],
      ['done', { account: 'alice', uid: 1_000, admin: false }],
    );
    assert.ok(!done.text.includes('secret-token'));
    const cookie = cookieIn(done) ?? '';
    const session = await ask(rig, 'GET /api/session', { cookie });
    assert.deepEqual(session.body.site, { name: 'Example', host: 'localhost', rpId: 'localhost' });
    assert.ok(!session.text.includes('secret-token'));
    assert.equal((await mine(cookie)).status, 200);
  });

  it('passes a password on with a link, for an invite that needs both', async () => {
    const both = { by: 'link', user: 'alice', link: 'invited', password: 'right' };
    await ask(rig, 'POST /api/sign-in', { body: both });
    assert.deepEqual(rig.daemon.asked.at(-1), ['beginSignIn', { ...both, source: '127.0.0.1' }]);
  });

  it('sets a cookie that no script reads and no other site sends', async () => {
    const done = await signInFully(rig);
    assert.match(done, /^sallyport=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  });

  it('over https sets one that is Secure and bound to the host', async () => {
    const secure = await startPortal({ origins: [secureOrigin], proxies: [loopbackProxy] });
    const headers = { host: 'login.example.org', origin: secureOrigin };
    const done = await signInFully(secure, headers);
    assert.match(done, /^__Host-sallyport=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
    const [pair = ''] = done.split(';');
    const as = (cookie: string) => ask(secure, 'GET /api/users/alice', { headers, cookie });
    assert.equal((await as(pair)).status, 200);
    assert.equal(codeIn(await as(pair.replace('__Host-', ''))), '401 signed-out');
    await secure.close();
  });

  it('ignores an id sent by the browser', async () => {
    const fixed = `sallyport=${'A'.repeat(43)}`;
    const cookie = await signIn(rig, { cookie: fixed });
    assert.notEqual(cookie, fixed);
    assert.equal(codeIn(await mine(fixed)), '401 signed-out');
  });

  it('again creates another id and ends the former one, here and at the daemon', async () => {
    const first = await signIn(rig);
    const [token] = rig.daemon.tokens.keys();
    const second = await signIn(rig, { cookie: first });
    assert.notEqual(second, first);
    assert.equal(codeIn(await mine(first)), '401 signed-out');
    assert.equal((await mine(second)).status, 200);
    assert.ok(!rig.daemon.tokens.has(token ?? ''));
  });

  it('is one of several at a time in other browsers', async () => {
    const [first, second] = [await signIn(rig), await signIn(rig)];
    assert.deepEqual([(await mine(first)).status, (await mine(second)).status], [200, 200]);
  });

  it('runs out of attempts, for one source', async () => {
    const wrong = { body: { by: 'password', user: 'alice', password: 'wrong' } };
    for (let n = 0; n < limits.wrongAnswerRate.burst; n++)
      assert.equal(codeIn(await ask(rig, 'POST /api/sign-in', wrong)), '403 not-permitted');
    const asked = rig.daemon.asked.length;
    const refused = await ask(rig, 'POST /api/sign-in', wrong);
    assert.equal(codeIn(refused), '429 too-many-attempts');
    assert.equal(refused.headers['retry-after'], '10');
    assert.equal(rig.daemon.asked.length, asked);
    rig.clock.ahead += 10_001;
    assert.equal(codeIn(await ask(rig, 'POST /api/sign-in', wrong)), '403 not-permitted');
  });

  it('counts guessed ids as wrong attempts', async () => {
    for (let n = 0; n < limits.wrongAnswerRate.burst; n++) {
      const answer = await ask(rig, `POST /api/sign-in/guess-${n}`, { body: { kind: 'typed', answer: '0' } });
      assert.notEqual(answer.status, 429);
    }
    const answer = await ask(rig, 'POST /api/sign-in/guess', { body: { kind: 'typed', answer: '123456' } });
    assert.equal(answer.status, 429);
  });

  it('has a limit even for correct answers', async () => {
    const right = { body: { by: 'password', user: 'alice', password: 'right' } };
    // One more is allowed for each second that this takes.
    let allowed = 0;
    while ((await ask(rig, 'POST /api/sign-in', right)).status === 200) allowed += 1;
    assert.ok(allowed >= limits.signInRate.burst && allowed < 2 * limits.signInRate.burst, `${allowed}`);
    assert.equal((await ask(rig, 'POST /api/sign-in', right)).status, 429);
  });
});

describe('a session', () => {
  it('ends when idle for 15 minutes, on both sides', async () => {
    const cookie = await signIn(rig);
    rig.clock.ahead += 15 * minutes - 1_000;
    assert.equal((await mine(cookie)).status, 200);
    rig.clock.ahead += 15 * minutes - 1_000;
    assert.notEqual(await person(cookie), null);
    rig.clock.ahead += 1_500;
    assert.equal(await person(cookie), null);
    assert.equal(rig.daemon.tokens.size, 0);
  });

  it('ends after 8 hours however much it is used', async () => {
    const cookie = await signIn(rig);
    for (let n = 0; n < 47; n++) {
      rig.clock.ahead += 10 * minutes;
      assert.equal((await mine(cookie)).status, 200, `${n}`);
    }
    rig.clock.ahead += 10 * minutes;
    const over = await mine(cookie);
    assert.equal(codeIn(over), '401 signed-out');
    assert.match(String(over.headers['set-cookie']), /^sallyport=; .*Max-Age=0$/);
  });

  it('ends by itself, without requests', async () => {
    await signIn(rig);
    rig.clock.ahead += 15 * minutes;
    rig.sessions.sweep();
    assert.deepEqual([rig.sessions.count(), rig.daemon.tokens.size], [0, 0]);
  });

  it('is not prolonged by asking whether it still exists', async () => {
    const cookie = await signIn(rig);
    for (let n = 0; n < 3; n++) {
      rig.clock.ahead += 5 * minutes;
      await person(cookie);
    }
    assert.equal(codeIn(await mine(cookie)), '401 signed-out');
  });

  it('ends at sign-out, on both sides, and its cookie is worthless', async () => {
    const cookie = await signIn(rig);
    const out = await ask(rig, 'POST /api/sign-out', { cookie });
    assert.deepEqual(out.body, { done: true });
    assert.match(String(out.headers['set-cookie']), /^sallyport=; .*Max-Age=0$/);
    assert.equal(codeIn(await mine(cookie)), '401 signed-out');
    assert.equal(rig.daemon.tokens.size, 0);
    assert.equal((await ask(rig, 'POST /api/sign-out', { cookie })).status, 200);
  });

  it('ends when the daemon no longer knows its token', async () => {
    for (const route of ['GET /api/users/alice', 'POST /api/users/alice/factors/f/enable']) {
      const cookie = await signIn(rig);
      rig.daemon.tokens.clear();
      assert.equal(codeIn(await ask(rig, route, { cookie })), '401 signed-out');
      assert.equal(rig.sessions.count(), 0);
    }
  });

  it('is needed for all user data', async () => {
    for (const route of [
      'GET /api/users',
      'GET /api/users/alice',
      'GET /api/audit',
      'POST /api/users/alice/unlock',
      'POST /api/users/alice/bypass',
      'DELETE /api/users/alice/factors/f',
    ])
      assert.equal(codeIn(await ask(rig, route)), '401 signed-out', route);
    assert.deepEqual(rig.daemon.asked, []);
  });

  it('is rejected with two cookies of the name', async () => {
    const cookie = await signIn(rig);
    assert.equal(await person(`${cookie}; sallyport=x`), null);
  });
});

describe('a change with an old token', () => {
  it('needs a confirmation, and continues after it', async () => {
    const cookie = await signIn(rig);
    for (const token of rig.daemon.tokens.values()) token.fresh = false;
    const change = (as: string) => ask(rig, 'DELETE /api/users/alice/factors/f1', { cookie: as });
    assert.equal(codeIn(await change(cookie)), '403 confirm-needed');
    assert.equal((await mine(cookie)).status, 200);

    const begun = await ask(rig, 'POST /api/confirm', { cookie, body: { password: 'right' } });
    assert.equal((begun.body.step as { kind: string }).kind, 'factor');
    const done = await ask(rig, `POST /api/sign-in/${String(begun.body.id)}`, {
      cookie,
      body: { kind: 'typed', answer: '123456' },
    });
    const renewed = cookieIn(done) ?? '';
    assert.equal((await change(renewed)).status, 200);
    assert.equal(codeIn(await mine(cookie)), '401 signed-out');
    assert.equal(rig.daemon.tokens.size, 1);
  });

  it('is confirmed only for the account of the session', async () => {
    const cookie = await signIn(rig);
    const more = await ask(rig, 'POST /api/confirm', { cookie, body: { password: 'right', user: 'bob' } });
    assert.equal(codeIn(more), '400 bad-request');
    for (const proof of [{ password: 'right' }, { link: 'of-alice' }]) {
      await ask(rig, 'POST /api/confirm', { cookie, body: proof });
      const by = 'link' in proof ? 'link' : 'password';
      const [, asked] = rig.daemon.asked.at(-1) ?? [];
      assert.deepEqual(asked, { user: 'alice', by, ...proof, source: '127.0.0.1' });
    }
    assert.equal(
      codeIn(await ask(rig, 'POST /api/confirm', { body: { password: 'right' } })),
      '401 signed-out',
    );
  });
});

describe('approvals', () => {
  const assertion = { credentialId: 'a', clientDataJSON: 'b', authenticatorData: 'c', signature: 'd' };

  it('need no session, and tell the daemon the address of the browser', async () => {
    assert.equal(
      (await ask(rig, 'POST /api/approvals/show', { body: { id: 'known' } })).body.account,
      'alice',
    );
    assert.deepEqual(rig.daemon.asked.at(-1), ['approval', 'known', '127.0.0.1']);
    const answer = await ask(rig, 'POST /api/approvals/answer', {
      body: { id: 'known', ...assertion, number: '42' },
    });
    assert.equal(answer.body.outcome, 'approved');
    const given = { ...assertion, number: '42', source: '127.0.0.1' };
    assert.deepEqual(rig.daemon.asked.at(-1), ['answerApproval', 'known', given]);
    assert.equal(
      (await ask(rig, 'POST /api/approvals/deny', { body: { id: 'known' } })).body.outcome,
      'denied',
    );
    const made = await ask(rig, 'POST /api/approvals/answer', {
      body: { id: 'known', ...assertion, source: '10.0.0.1' },
    });
    assert.equal(codeIn(made), '400 bad-request');
  });

  it('limit the number of guessed ids', async () => {
    for (let n = 0; n < limits.guessRate.burst; n++)
      assert.equal((await ask(rig, 'POST /api/approvals/show', { body: { id: `guess-${n}` } })).status, 404);
    assert.equal(
      codeIn(await ask(rig, 'POST /api/approvals/show', { body: { id: 'known' } })),
      '429 too-many-attempts',
    );
    rig.clock.ahead += limits.guessRate.forgetOneIn + 1;
    assert.equal((await ask(rig, 'POST /api/approvals/show', { body: { id: 'known' } })).status, 200);
  });

  it('count rejected assertions', async () => {
    for (let n = 0; n < limits.guessRate.burst; n++)
      assert.equal(
        (await ask(rig, 'POST /api/approvals/answer', { body: { id: 'other', ...assertion } })).status,
        200,
      );
    assert.equal(
      (await ask(rig, 'POST /api/approvals/answer', { body: { id: 'other', ...assertion } })).status,
      429,
    );
  });
});

describe('users and the audit trail', () => {
  it('accept queries within bounds', async () => {
    const cookie = await signIn(rig);
    await ask(rig, 'GET /api/users?search=al&after=a&limit=7', { cookie });
    assert.deepEqual(rig.daemon.asked.at(-1)?.slice(0, 4), ['users', 'a', 7, 'al']);
    await ask(rig, 'GET /api/audit?user=alice&from=9', { cookie });
    assert.deepEqual(rig.daemon.asked.at(-1)?.[1], { user: 'alice', from: 9, limit: limits.pageDefault });
    for (const query of ['limit=1001', 'limit=-1', 'limit=1e2', 'limit=1&limit=2'])
      assert.equal(codeIn(await ask(rig, `GET /api/users?${query}`, { cookie })), '400 bad-request', query);
  });
});

async function signInFully(on: PortalRig, headers: Record<string, string> = {}): Promise<string> {
  const begun = await ask(on, 'POST /api/sign-in', {
    headers,
    body: { by: 'password', user: 'alice', password: 'right' },
  });
  const done = await ask(on, `POST /api/sign-in/${String(begun.body.id)}`, {
    headers,
    body: { kind: 'typed', answer: '123456' },
  });
  return done.headers['set-cookie']?.[0] ?? '';
}
