import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ControlError } from '../../../daemon/client/client.ts';
import {
  ask,
  codeIn,
  loopbackProxy,
  origin,
  type PortalRig,
  rawSocket,
  secureOrigin,
  signIn,
  startPortal,
} from '../../support/portal-rig.ts';

let rig: PortalRig;
before(async () => {
  rig = await startPortal();
});
after(() => rig.close());

const signInBody = { by: 'password', user: 'alice', password: 'right' };

describe('headers', () => {
  const expected: Readonly<Record<string, RegExp>> = {
    'content-security-policy':
      /^default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'$/,
    'x-content-type-options': /^nosniff$/,
    'x-frame-options': /^DENY$/,
    'referrer-policy': /^no-referrer$/,
    'permissions-policy':
      /^publickey-credentials-get=\(self\), publickey-credentials-create=\(self\), .*camera=\(\)/,
    'cross-origin-opener-policy': /^same-origin$/,
    'cross-origin-resource-policy': /^same-origin$/,
    'cache-control': /^no-store$/,
  };
  for (const [what, route, headers] of [
    ['an answer', 'GET /api/session', {}],
    ['an error', 'GET /api/nothing', {}],
    ['a page', 'GET /', {}],
    ['a health check', 'GET /healthz', {}],
    ['a request for another host', 'GET /', { host: 'evil.example' }],
    ['a change from elsewhere', 'POST /api/sign-out', { origin: 'https://evil.example' }],
  ] as const)
    it(`are on ${what}`, async () => {
      const answer = await ask(rig, route, { headers });
      for (const [name, pattern] of Object.entries(expected))
        assert.match(String(answer.headers[name] ?? ''), pattern, name);
      assert.equal(answer.headers['strict-transport-security'], undefined);
    });

  it('are on responses to invalid requests too', async () => {
    const socket = await rawSocket(rig);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.write('NONSENSE\r\n\r\n');
    await new Promise((resolve) => socket.once('close', resolve));
    assert.match(String(Buffer.concat(chunks)), /^HTTP\/1\.1 400 [\s\S]*content-security-policy:/);
  });

  it('require https if the browser used it', async () => {
    const proxied = await startPortal({ origins: [secureOrigin], proxies: [loopbackProxy] });
    const answer = await ask(proxied, 'GET /api/session', { headers: { host: 'login.example.org' } });
    await proxied.close();
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['strict-transport-security'], 'max-age=63072000');
  });
});

describe('Host', () => {
  for (const host of [
    'localhost',
    'localhost:8444',
    '127.0.0.1:8443',
    'evil.example',
    'localhost:8443.evil.example',
  ])
    it(`${host} is answered with the expected origin`, async () => {
      for (const route of ['GET /', 'GET /api/session', 'POST /api/sign-out']) {
        const answer = await ask(rig, route, { headers: { host } });
        assert.equal(answer.status, 421, route);
        assert.ok(answer.text.includes(origin));
        assert.ok(!answer.text.includes('evil'));
      }
    });

  it('may be written in upper case', async () => {
    assert.equal((await ask(rig, 'GET /api/session', { headers: { host: 'LOCALHOST:8443' } })).status, 200);
  });

  it('of one origin accept changes only from its own pages', async () => {
    const two = await startPortal({ origins: [origin, 'http://localhost:9000'] });
    const asked = { body: signInBody, headers: { origin: 'http://localhost:9000' } };
    assert.equal(codeIn(await ask(two, 'POST /api/sign-in', asked)), '403 origin');
    const own = { ...asked, headers: { ...asked.headers, host: 'localhost:9000' } };
    assert.equal((await ask(two, 'POST /api/sign-in', own)).status, 200);
    await two.close();
  });

  it('do not matter to a supervisor', async () => {
    const answer = await ask(rig, 'GET /healthz', { headers: { host: '127.0.0.1' } });
    assert.deepEqual([answer.status, answer.text], [200, 'ok\n']);
  });

  it('is rejected without TLS and without a proxy', async () => {
    const plain = await startPortal({ origins: [secureOrigin] });
    const answer = await ask(plain, 'GET /api/session', { headers: { host: 'login.example.org' } });
    await plain.close();
    assert.equal(codeIn(answer), '421 origin');
  });
});

describe('a change', () => {
  const changes = [
    ['POST /api/sign-in', signInBody],
    ['POST /api/sign-in/x', { kind: 'typed', answer: '1' }],
    ['POST /api/confirm', { password: 'right' }],
    ['POST /api/sign-out', undefined],
    ['POST /api/users/alice/factors', { kind: 'recovery', verify: false }],
    ['POST /api/users/alice/factors/f/rename', { name: 'x' }],
    ['POST /api/users/alice/factors/f/enable', undefined],
    ['POST /api/users/alice/factors/f/disable', undefined],
    ['DELETE /api/users/alice/factors/f', undefined],
    ['POST /api/users/alice/keys', {}],
    ['POST /api/users/alice/unlock', undefined],
    ['POST /api/users/alice/bypass', undefined],
    ['POST /api/users/alice/invite', { withoutPassword: false }],
    ['POST /api/approvals/show', { id: 'known' }],
    ['POST /api/approvals/answer', { id: 'known' }],
    ['POST /api/approvals/deny', { id: 'known' }],
  ] as const;

  for (const [route, body] of changes)
    it(`${route} needs its own origin, and JSON`, async () => {
      const cookie = await signIn(rig);
      const before = rig.daemon.asked.length;
      for (const foreign of [
        null,
        'null',
        'https://evil.example',
        'http://localhost',
        `${origin}/`,
        'http://LOCALHOST:8443',
      ]) {
        const answer = await ask(rig, route, { body, cookie, headers: { origin: foreign } });
        assert.equal(codeIn(answer), '403 origin', String(foreign));
        assert.ok(answer.text.includes(origin));
        assert.ok(!answer.text.includes('evil'));
      }
      for (const type of [
        'text/plain',
        'application/x-www-form-urlencoded',
        'multipart/form-data; boundary=x',
        'application/jsonp',
      ]) {
        const answer = await ask(rig, route, { raw: '{}', cookie, headers: { 'content-type': type } });
        assert.equal(codeIn(answer), '415 bad-request', type);
      }
      assert.equal(
        codeIn(await ask(rig, route, { raw: '{}', cookie, headers: { 'content-type': null } })),
        '415 bad-request',
      );
      assert.equal(rig.daemon.asked.length, before, 'the daemon was asked');
    });

  it('reaches the daemon when everything is valid', async () => {
    const cookie = await signIn(rig);
    const answer = await ask(rig, 'POST /api/users/alice/factors/f1/enable', { cookie });
    assert.deepEqual([answer.status, answer.body.changed], [200, true]);
  });
});

describe('a request', () => {
  it('is matched exactly as in the contract', async () => {
    for (const route of [
      'GET /api/',
      'GET /api/sessions',
      'GET /api/session/',
      'GET /api//session',
      'GET /api/users/',
      'POST /api/approvals/..',
      'POST /api/approvals/a%2Fb',
      'POST /api/approvals/known',
    ])
      assert.equal(codeIn(await ask(rig, route)), '404 no-such-operation', route);
    const wrong = await ask(rig, 'PUT /api/session');
    assert.deepEqual([wrong.status, wrong.headers.allow], [405, 'GET']);
    assert.equal(codeIn(await ask(rig, 'GET /api/users/%ff')), '400 bad-request');
  });

  it('passes a name with dots and slashes to the daemon unchanged', async () => {
    const cookie = await signIn(rig);
    await ask(rig, 'GET /api/users/..%2F..%2Fstatus', { cookie });
    assert.deepEqual(rig.daemon.asked.at(-1)?.slice(0, 2), ['user', '../../status']);
  });

  it('does not appear in its error', async () => {
    const cookie = await signIn(rig);
    const mark = 'x7q<script>';
    const answers = [
      await ask(rig, `GET /api/${encodeURIComponent(mark)}`),
      await ask(rig, `GET /${encodeURIComponent(mark)}.js`),
      await ask(rig, 'POST /api/sign-in', { body: { by: mark, user: mark, password: mark } }),
      await ask(rig, 'POST /api/sign-in', { body: { ...signInBody, password: mark, user: mark } }),
      await ask(rig, 'POST /api/sign-in', { body: { ...signInBody, [mark]: 1 } }),
      await ask(rig, 'POST /api/sign-in', { raw: `{"${mark}` }),
      await ask(rig, 'POST /api/users/alice/factors', {
        cookie,
        body: { kind: mark, verify: true, [mark]: mark },
      }),
      await ask(rig, `GET /api/users?limit=${encodeURIComponent(mark)}`, { cookie }),
      await ask(rig, 'GET /api/session', { headers: { host: 'x7q' } }),
      await ask(rig, 'POST /api/sign-out', { headers: { origin: mark } }),
      await ask(rig, 'GET /api/session', { headers: { cookie: mark, 'x-forwarded-for': mark } }),
    ];
    for (const answer of answers) assert.ok(!answer.text.includes('x7q'), answer.text);
    assert.ok(!rig.logged.join('').includes('x7q'));
  });

  it('cannot set its own source, or request what only a local uid may', async () => {
    for (const body of [
      { ...signInBody, source: '1.2.3.4' },
      { user: 'alice', by: 'uid' },
      { by: 'uid' },
      [],
      null,
      'x',
    ])
      assert.equal(codeIn(await ask(rig, 'POST /api/sign-in', { body })), '400 bad-request');
    await ask(rig, 'POST /api/sign-in', { body: signInBody });
    assert.deepEqual(rig.daemon.asked.at(-1), ['beginSignIn', { ...signInBody, source: '127.0.0.1' }]);
  });

  it('never adds a factor unverified', async () => {
    const cookie = await signIn(rig);
    const body = { kind: 'totp', secret: 'AAAA', digits: 6, period: 30, algorithm: 'sha1', verify: false };
    assert.equal((await ask(rig, 'POST /api/users/alice/factors', { cookie, body })).status, 200);
    assert.deepEqual(rig.daemon.asked.at(-1)?.[2], { ...body, verify: true });
  });

  it('tells the daemon the origin for which a key is created', async () => {
    const cookie = await signIn(rig);
    const answer = await ask(rig, 'POST /api/users/alice/keys', { cookie, body: { name: 'blue' } });
    assert.equal(answer.body.id, 'k1');
    assert.deepEqual(rig.daemon.asked.at(-1)?.slice(0, 3), ['beginKey', 'alice', { name: 'blue', origin }]);
  });

  it('that the daemon cannot answer says so without its socket path', async () => {
    rig.daemon.fails = new ControlError('daemon-unreachable', 'not on /run/secret.sock');
    const answer = await ask(rig, 'POST /api/sign-in', { body: signInBody });
    assert.equal(codeIn(answer), '503 daemon-unreachable');
    assert.ok(!answer.text.includes('secret.sock'));
    rig.daemon.fails = new TypeError('a defect with a secret');
    const defect = await ask(rig, 'POST /api/sign-in', { body: signInBody });
    assert.equal(codeIn(defect), '500 internal');
    assert.ok(!defect.text.includes('secret'));
  });

  it('leaves its method, its route, a status and an address in the log, and no secret', async () => {
    rig.logged.length = 0;
    const cookie = await signIn(rig);
    await ask(rig, 'POST /api/approvals/deny', { cookie, body: { id: 'known' } });
    await ask(rig, 'POST /api/sign-out', { headers: { origin: 'https://evil.example' } });
    await ask(rig, 'GET /approve/secret-link');
    await ask(rig, 'GET /api/users/alice?search=secret-query', { cookie });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const log = rig.logged.join('');
    for (const secret of ['secret', 'right', '123456', 'known', cookie.split('=')[1] ?? '', 'signin-'])
      assert.ok(!log.includes(secret), secret);
    const line = JSON.parse(rig.logged.find((text) => text.includes('/deny')) ?? '{}');
    delete line.ms;
    assert.ok(rig.logged.some((text) => text.includes('"POST /api/sign-out","status":403')));
    assert.ok(!log.includes('evil'));
    assert.deepEqual(line, {
      level: 'info',
      event: 'request',
      method: 'POST',
      route: 'POST /api/approvals/deny',
      status: 200,
      address: '127.0.0.1',
    });
  });
});
