import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { takeActivatedSocket } from '../../../portal/http/activation.ts';
import { createAddresses } from '../../../portal/http/address.ts';
import { bodyFor, loadAssets } from '../../../portal/http/assets.ts';
import { createConnectionLimit } from '../../../portal/http/connection-limit.ts';
import { readCookie } from '../../../portal/http/cookie.ts';
import { createRateLimiter } from '../../../portal/http/rate-limiter.ts';
import { createRequestQueue } from '../../../portal/http/request-queue.ts';
import { limits } from '../../../portal/limits.ts';
import { createSessions } from '../../../portal/sessions.ts';
import { held } from '../../support/held.ts';
import { ask, type PortalRig, startPortal } from '../../support/portal-rig.ts';

describe('the source address of a browser', () => {
  const { peer, isProxy } = createAddresses([
    { family: 'ipv4', address: '10.0.0.0', prefix: 8 },
    { family: 'ipv6', address: '2001:db8::', prefix: 32 },
  ]);
  for (const [what, address, forwarded, expected] of [
    ['direct', '192.0.2.1', undefined, '192.0.2.1'],
    ['direct, and says it is forwarded', '192.0.2.1', '203.0.113.9', '192.0.2.1'],
    ['behind a proxy', '10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['behind a proxy that Node writes as IPv6', '::ffff:10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['behind two', '2001:db8::1', '203.0.113.9, 10.9.9.9', '203.0.113.9'],
    ['behind a proxy, with something made up before', '10.0.0.1', '1.1.1.1, 203.0.113.9', '203.0.113.9'],
    ['behind a stranger’s proxy', '10.0.0.1', '203.0.113.9, 198.51.100.7', '198.51.100.7'],
    ['behind a proxy that says nothing', '10.0.0.1', undefined, '10.0.0.1'],
    ['behind a proxy that says nonsense', '10.0.0.1', '203.0.113.9, unknown', '10.0.0.1'],
    ['a proxy itself', '10.0.0.1', '10.0.0.2', '10.0.0.2'],
    ['written as IPv6', '10.0.0.1', '::ffff:203.0.113.9', '203.0.113.9'],
  ] as const)
    it(what, () => assert.equal(peer(address, forwarded).source, expected));

  it('is loopback by the connection, never by a header', () => {
    assert.equal(peer('10.0.0.1', '127.0.0.1').loopback, false);
    assert.deepEqual(
      ['::1', '127.9.9.9', '::ffff:127.0.0.1'].map((address) => peer(address, undefined).loopback),
      [true, true, true],
    );
  });

  it('is read from known proxies', () => {
    assert.deepEqual(['10.1.1.1', '::ffff:10.1.1.1', '11.1.1.1', '2001:db8::5', undefined].map(isProxy), [
      true,
      true,
      false,
      true,
      false,
    ]);
  });
});

describe('places', () => {
  const make = (connections: number, connectionsPerAddress = connections) => {
    const clock = { now: 0 };
    const limit = { connections, connectionsPerAddress, connectionsPerAccount: 2 };
    const places = createConnectionLimit(limit, () => clock.now++);
    const ended: string[] = [];
    const take = (key: string, address = key, shared = false) =>
      places.take(key, { address, shared, end: () => ended.push(key) });
    return { places, ended, take };
  };

  it('displace the oldest of the address that has most', () => {
    const { take, ended } = make(4);
    for (const key of ['old', 'a1', 'a2', 'b1']) take(key, key.charAt(0));
    assert.ok(take('c1', 'c'));
    assert.ok(take('d1', 'd'));
    assert.deepEqual(ended, ['a1', 'old']);
  });

  it('of a signed-in user are displaced last, and count for no address', () => {
    const { take, ended, places } = make(3, 2);
    take('p', 'x');
    places.verified('p', 'alice');
    for (const key of ['x1', 'x2', 'x3', 'x4']) assert.ok(take(key, 'x'));
    assert.deepEqual(ended, ['x1', 'x2']);
    for (const key of ['x3', 'x4']) places.busy(key);
    assert.ok(take('y1', 'y'), 'an idle one costs its person a connection, and nothing else');
    assert.deepEqual(ended, ['x1', 'x2', 'p']);
  });

  it('of one user are limited', () => {
    const { take, ended, places } = make(3);
    for (const key of ['p1', 'p2', 'p3']) {
      take(key, 'x');
      places.verified(key, 'alice');
    }
    take('y', 'y');
    assert.deepEqual(ended, ['p3']);
  });

  it('with current requests leave no slot', () => {
    const { take, places } = make(2);
    for (const key of ['a', 'b']) {
      take(key);
      places.busy(key);
    }
    assert.equal(take('c'), false);
    places.idle('b');
    assert.ok(take('c'));
  });

  it('of a reverse proxy belong to many: others that have more than one are displaced first', () => {
    const { take, ended } = make(4);
    take('p1', 'proxy', true);
    take('p2', 'proxy', true);
    take('a1', 'a');
    take('a2', 'a');
    take('b1', 'b');
    take('b2', 'b');
    assert.deepEqual(ended, ['a1', 'p1']);
  });
});

describe('tries', () => {
  const make = (entries = 10) => {
    const clock = { now: 0 };
    return {
      clock,
      tries: createRateLimiter({ burst: 3, forgetOneIn: 100, entries, monotonic: () => clock.now }),
    };
  };
  const spend = (tries: ReturnType<typeof make>['tries'], source: string) => {
    for (let n = 0; n < 3; n++) tries.take(source);
  };

  it('are limited, and return with time', () => {
    const { tries, clock } = make();
    spend(tries, 'a');
    assert.throws(() => tries.take('a'), { code: 'too-many-attempts' });
    tries.take('b');
    clock.now = 99;
    assert.throws(() => tries.take('a'));
    clock.now = 100;
    tries.take('a');
    assert.throws(() => tries.take('a'));
  });

  it('that are given back do not count', () => {
    const { tries } = make();
    for (let n = 0; n < 10; n++) {
      tries.take('a');
      tries.giveBack('a');
    }
  });

  it('are stored for a limited number of sources, the oldest is dropped', () => {
    const { tries } = make(2);
    spend(tries, 'a');
    spend(tries, 'b');
    spend(tries, 'c');
    assert.throws(() => tries.take('b'));
    tries.take('a');
  });
});

describe('sessions', () => {
  const token = (text: string) => ({ token: text, changesUntil: 0, readsUntil: 0 });
  const make = (more: Partial<Record<'sessions' | 'sessionsPerAccount', number>> = {}) => {
    const clock = { now: 0 };
    const ended: string[] = [];
    const sessions = createSessions({
      limits: { ...limits, ...more },
      monotonic: () => clock.now,
      endToken: async (text) => void ended.push(text),
    });
    const begin = (account: string, text = account) =>
      sessions.begin({ account, uid: 1, admin: false }, token(text));
    return { clock, ended, sessions, begin };
  };

  it('have ids of 256 bits that are not stored', () => {
    const { sessions, begin } = make();
    const id = begin('a');
    assert.equal(Buffer.from(id, 'base64url').length, 32);
    assert.deepEqual(sessions.find(id), {
      person: { account: 'a', uid: 1, admin: false },
      token: token('a'),
    });
    for (const other of ['', undefined, id.slice(1), `${id}=`]) assert.equal(sessions.find(other), undefined);
  });

  it('of one account displace its own, the longest idle first', () => {
    const { clock, ended, sessions, begin } = make({ sessionsPerAccount: 2 });
    const other = begin('b');
    const ids = ['1', '2'].map((text) => {
      clock.now += 1;
      return begin('a', text);
    });
    clock.now += 1;
    const first = sessions.find(ids[0]);
    assert.ok(first);
    sessions.use(first);
    begin('a', '3');
    assert.deepEqual(ended, ['2']);
    assert.ok(sessions.find(other));
  });

  it('are limited in all', () => {
    const { ended, sessions, begin, clock } = make({ sessions: 2 });
    for (const account of ['a', 'b', 'c']) {
      clock.now += 1;
      begin(account);
    }
    assert.deepEqual([ended, sessions.count()], [['a'], 2]);
  });

  it('end with the portal, and so do their tokens', async () => {
    const { ended, sessions, begin } = make();
    begin('a');
    begin('b');
    await sessions.close();
    assert.deepEqual([ended, sessions.count()], [['a', 'b'], 0]);
  });

  it('end once', () => {
    const { sessions, begin } = make();
    const session = sessions.find(begin('a'));
    assert.ok(session);
    const heard: string[] = [];
    sessions.onEnd(session, (why) => heard.push(why));
    sessions.end(session, 'signed-out');
    sessions.end(session, 'expired');
    assert.deepEqual([heard, sessions.isOver(session), sessions.left(session)], [['signed-out'], true, 0]);
  });
});

describe('turns', () => {
  it('run a limited number at a time, and refuse when too many wait', async () => {
    const turns = createRequestQueue({ atOnce: 2, waiting: 1, own: 3 });
    let running = 0;
    let most = 0;
    const task = () =>
      turns.run('a', async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 20));
        running -= 1;
      });
    const tasks = [task(), task(), task()];
    await assert.rejects(task(), { code: 'daemon-unreachable' });
    await Promise.all(tasks);
    await assert.rejects(
      turns.run('a', async () => {
        throw new Error('x');
      }),
      /x/,
    );
    await Promise.all([task(), task()]);
    assert.equal(most, 2);
  });

  it('leave one owner a share, including waiting ones, and the others theirs', async () => {
    const turns = createRequestQueue({ atOnce: 2, waiting: 10, own: 3 });
    const { promise, release } = held();
    const running = Array.from({ length: 3 }, () => turns.run('a', () => promise));
    await assert.rejects(
      turns.run('a', () => promise),
      { code: 'daemon-unreachable' },
    );
    const other = turns.run('b', () => promise);
    release();
    await Promise.all([...running, other]);
    await turns.run('a', async () => undefined);
  });
});

describe('a cookie', () => {
  it('is read by its full name, and not when there are two', () => {
    assert.equal(readCookie('a=1; sallyport=x; b=2', false), 'x');
    assert.equal(readCookie('sallyport=x', true), undefined);
    assert.equal(readCookie('__Host-sallyport=x', false), undefined);
    assert.equal(readCookie('__Host-sallyport=x', true), 'x');
    assert.equal(readCookie('xsallyport=x', false), undefined);
    assert.equal(readCookie('sallyport=x; sallyport=y', false), undefined);
    assert.equal(readCookie(undefined, false), undefined);
  });
});

describe('the socket of a service manager', () => {
  it('is the one that was intended for the portal', () => {
    const take = (fds: string, pid = '7') =>
      takeActivatedSocket({ LISTEN_PID: pid, LISTEN_FDS: fds, LISTEN_FDNAMES: 'portal' }, 7);
    assert.deepEqual(
      [take('1'), take('1', '8'), take('0'), takeActivatedSocket({}, 7)],
      [3, undefined, undefined, undefined],
    );
    assert.throws(() => take('2'), /takes one/);
  });
});

describe('the pages', () => {
  let directory: string;
  let rig: PortalRig;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sallyport-pages-'));
    mkdirSync(join(directory, 'assets'));
    writeFileSync(join(directory, '..', 'sallyport-outside.txt'), 'outside');
    symlinkSync('/etc/passwd', join(directory, 'passwd.txt'));
    for (const [path, text] of [
      ['index.html', '<!doctype html>'],
      ['assets/main-ABCD2345.js', 'let page;'.repeat(100)],
      ['assets/main-ABCD2345.js.map', '{}'],
      ['assets/ready.css', 'a{}'],
      ['assets/ready.css.br', 'packed'],
      ['icon.svg', '<svg/>'],
    ] as const)
      writeFileSync(join(directory, path), text);
    const assets = loadAssets(directory);
    assert.ok(assets);
    rig = await startPortal({ assets });
  });
  after(async () => {
    await rig.close();
    rmSync(directory, { recursive: true });
    rmSync(join(directory, '..', 'sallyport-outside.txt'), { force: true });
  });

  it('are index.html for every page address', async () => {
    for (const path of ['/', '/factors', '/approve/x', '/approve/a.b/c?d=.js']) {
      const answer = await ask(rig, `GET ${path}`);
      assert.deepEqual([answer.status, answer.text], [200, '<!doctype html>'], path);
      assert.match(String(answer.headers['content-type']), /^text\/html/);
      assert.equal(answer.headers['cache-control'], 'no-cache');
    }
  });

  it('have files that never change under their name', async () => {
    const answer = await ask(rig, 'GET /assets/main-ABCD2345.js');
    assert.equal(answer.headers['cache-control'], 'public, max-age=31536000, immutable');
    assert.equal(answer.headers['content-encoding'], undefined);
    for (const encoding of ['br', 'gzip']) {
      const packed = await ask(rig, 'GET /assets/main-ABCD2345.js', {
        headers: { 'accept-encoding': `identity, ${encoding};q=0.5` },
      });
      assert.equal(packed.headers['content-encoding'], encoding);
      assert.ok(Number(packed.headers['content-length']) < 100);
    }
    const ready = await ask(rig, 'GET /assets/ready.css', { headers: { 'accept-encoding': 'br' } });
    assert.equal(ready.text, 'packed');
    const refused = await ask(rig, 'GET /assets/ready.css', { headers: { 'accept-encoding': 'br;q=0' } });
    assert.equal(refused.text, 'a{}');
    const tag = String(answer.headers.etag);
    const same = await ask(rig, 'GET /assets/main-ABCD2345.js', { headers: { 'if-none-match': tag } });
    assert.deepEqual([same.status, same.text], [304, '']);
    const headOnly = await ask(rig, 'HEAD /icon.svg', { headers: { origin: null } });
    assert.deepEqual([headOnly.status, headOnly.text, headOnly.headers['content-length']], [200, '', '6']);
  });

  for (const path of [
    '/../sallyport-outside.txt',
    '/..%2fsallyport-outside.txt',
    '/%2e%2e/sallyport-outside.txt',
    '/assets/../../sallyport-outside.txt',
    '//etc/passwd.txt',
    '/passwd.txt',
    '/assets/..\\..\\sallyport-outside.txt',
    '/assets/main-ABCD2345.js.map',
    '/assets/ready.css.br',
    '/__proto__.js',
  ])
    it(`cannot be left by a path: ${path}`, async () => {
      const answer = await ask(rig, `GET ${path}`);
      assert.equal(answer.status, 404);
    });

  for (const path of ['/', '/factors', '/invite/YWxpY2U.abcdefghijklmnop012345'])
    it(`are one document at every address, also an invite’s with its dot: ${path}`, async () => {
      const answer = await ask(rig, `GET ${path}`);
      assert.deepEqual([answer.status, answer.headers['content-type']], [200, 'text/html; charset=utf-8']);
    });

  it('are read-only', async () => {
    const answer = await ask(rig, 'POST /factors', { body: {} });
    assert.deepEqual([answer.status, answer.headers.allow], [405, 'GET, HEAD']);
  });

  it('that were not built say how to build them', async () => {
    const bare = await startPortal();
    const answer = await ask(bare, 'GET /');
    await bare.close();
    assert.equal(answer.status, 503);
    assert.match(answer.text, /npm run build/);
    assert.equal(loadAssets(join(directory, 'assets')), undefined);
  });

  it('are compressed only if the client accepts it', () => {
    const asset = loadAssets(directory)?.get('/index.html');
    assert.ok(asset);
    for (const accepted of [undefined, '', 'deflate', 'br;q=0, gzip;q=0.0'])
      assert.equal(bodyFor(asset, accepted).encoding, 'identity');
  });
});
