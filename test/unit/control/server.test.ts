import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { lstatSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { limits } from '../../../daemon/limits.ts';
import { call, rawConnection, until, untilClosed } from '../../support/call.ts';
import { callAs } from '../../support/call-as.ts';
import { type ControlRig, startControl, uids } from '../../support/control-rig.ts';
import { phone } from './records.ts';

let rig: ControlRig;
before(async () => {
  rig = await startControl();
});
after(() => rig.close());

const codeOf = async (method: string, path: string, body?: string) => {
  const answer = await call(rig.socket, { method, path, ...(body === undefined ? {} : { body }) });
  return answer.body.error?.code ?? answer.status;
};

describe('routes', () => {
  test('an unknown path is not an operation', async () => {
    for (const [method, path] of [
      ['GET', '/'],
      ['GET', '/v1'],
      ['GET', '/v2/status'],
      ['POST', '/v1/status'],
      ['GET', '/v1/status/'],
      ['PUT', '/v1/users/alice'],
      ['GET', '//v1/status'],
      ['GET', '/v1/users/../status'],
      ['GET', '/v1/./status'],
      ['OPTIONS', '*'],
      ['GET', '/v1/users/alice/factors/x'],
      ['DELETE', '/v1/users/alice/factors/x/y'],
    ] as const)
      assert.equal(await codeOf(method, path), 'no-such-operation', `${method} ${path}`);
  });

  test('a name may contain anything and is only a name', async () => {
    const names = [
      '..',
      '../status',
      '../../etc/passwd',
      'a/b',
      'a%b',
      'a\0b',
      'a\nb',
      '\x1b[2J',
      '',
      'x'.repeat(257),
    ];
    for (const name of names) {
      const path = `/v1/users/${encodeURIComponent(name)}`;
      assert.equal(await codeOf('GET', path), 'no-such-account', JSON.stringify(name));
      assert.equal(await codeOf('POST', `${path}/unlock`), 'no-such-account', JSON.stringify(name));
    }
  });

  test('a path that is not percent-encoded UTF-8 is refused', async () => {
    for (const path of ['/v1/users/%', '/v1/users/%zz', '/v1/users/%ff'])
      assert.equal(await codeOf('GET', path), 'bad-request', path);
  });

  test('a query has each parameter once, and no unknown one', async () => {
    assert.equal(await codeOf('GET', '/v1/audit?limit=1&limit=2'), 'bad-request');
    assert.equal(await codeOf('GET', '/v1/audit?colour=red'), 'bad-request');
    assert.equal(await codeOf('GET', '/v1/status?x=1'), 'bad-request');
    assert.equal(await codeOf('GET', '/v1/audit?__proto__=1'), 'bad-request');
    for (const limit of ['0', '-1', '1.5', '1e3', '', String(limits.pageSize + 1), '9'.repeat(17)])
      assert.equal(await codeOf('GET', `/v1/audit?limit=${limit}`), 'bad-request', limit);
    assert.equal(await codeOf('GET', `/v1/audit?limit=${limits.pageSize}`), 200);
  });

  test('a user named twice is one account, by the canonical name', async () => {
    await rig.store.put('alice', { factors: [phone] });
    const answer = await call(rig.socket, { method: 'GET', path: '/v1/users/ALICE' });
    assert.equal(answer.body.account, 'alice');
  });
});

describe('bodies', () => {
  const path = '/v1/users/alice/verify';
  const padded = (length: number) => {
    const body = JSON.stringify({ answer: '123456' });
    return body + ' '.repeat(length - body.length);
  };

  test('a body up to the limit is read, one byte more is not', async () => {
    assert.equal(await codeOf('POST', path, padded(limits.requestBody)), 200);
    assert.equal(await codeOf('POST', path, padded(limits.requestBody + 1)), 'body-too-large');
  });

  test('the limit applies also without a length', async () => {
    const headers = { 'transfer-encoding': 'chunked' };
    const most = await call(rig.socket, { method: 'POST', path, body: padded(limits.requestBody), headers });
    assert.equal(most.status, 200);
    const socket = await rawConnection(rig.socket);
    const closed = untilClosed(socket);
    socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`);
    const chunk = `${(16_384).toString(16)}\r\n${' '.repeat(16_384)}\r\n`;
    const pour = () => {
      while (!socket.destroyed && socket.write(chunk));
    };
    socket.on('drain', pour);
    pour();
    assert.match(await closed, /^HTTP\/1.1 413 .*body-too-large/s);
  });

  test('a body that is not JSON, or not the expected JSON, is refused', async () => {
    for (const body of [
      '',
      '{',
      'null',
      '[]',
      '"x"',
      '{}',
      '{"answer":1}',
      '{"answer":""}',
      '{"answer":"1","x":1}',
      '{"answer":"1","__proto__":{}}',
      `{"answer":"${'1'.repeat(limits.answerLength + 1)}"}`,
    ])
      assert.equal(await codeOf('POST', path, body), 'bad-request', body.slice(0, 40));
  });

  test('a body that is not UTF-8 is refused', async () => {
    const socket = await rawConnection(rig.socket);
    socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 14\r\n\r\n`);
    socket.write(Buffer.from('{"answer":"\xff"}', 'latin1'));
    assert.match(await untilClosed(socket), /bad-request/);
  });

  test('an enrolment limits each field', async () => {
    const good = {
      kind: 'totp',
      secret: Buffer.alloc(20, 7).toString('base64'),
      digits: 6,
      period: 30,
      algorithm: 'sha1',
      verify: false,
    };
    const add = (change: object) =>
      codeOf('POST', '/v1/users/carol/factors', JSON.stringify({ ...good, ...change }));
    for (const change of [
      { kind: 'yubikey' },
      { digits: 9 },
      { period: 14 },
      { period: 301 },
      { period: 30.5 },
      { algorithm: 'md5' },
      { secret: '!' },
      { counter: 0 },
      { verify: 'no' },
    ])
      assert.equal(await add(change), 'bad-request', JSON.stringify(change));
    assert.equal(await add({ secret: Buffer.alloc(9, 7).toString('base64') }), 'bad-secret');
    assert.equal(await add({ name: 'a\u001bb' }), 'bad-name');
    assert.equal(await add({ name: 'x'.repeat(limits.factorNameLength + 1) }), 'bad-name');
    assert.equal(await add({ name: 'x'.repeat(limits.factorNameLength) }), 200);
  });

  test('a request without a body may not have one', async () => {
    assert.equal(await codeOf('POST', '/v1/users/alice/unlock', '{"x":1}'), 'bad-request');
    assert.equal(await codeOf('POST', '/v1/users/alice/unlock', '{}'), 200);
  });

  test('nothing of a body or a header appears in an answer or in the log', async () => {
    const secret = 'S3CR3T-VALUE';
    const tries = [
      `{"answer":"${secret}"}`,
      `{"answer":["${secret}"]}`,
      `{"answer":"1","x":"${secret}"`,
      `{"previous":"${secret}","answer":"${secret}"}`,
    ];
    for (const body of tries) {
      const headers = { authorization: `Bearer ${secret}` };
      const answer = await call(rig.socket, { method: 'POST', path, body, headers });
      assert.ok(!JSON.stringify(answer.body).includes(secret));
    }
    rig.store.breakWrites('ENOSPC');
    const failed = await call(rig.socket, { method: 'POST', path, body: `{"answer":"123456"}` });
    rig.store.breakWrites(undefined);
    assert.equal(failed.body.error?.code, 'store-unwritable');
    assert.ok(rig.logged.some((line) => line.includes('store-unwritable')));
    assert.ok(!rig.logged.join().includes(secret));
    assert.ok(!rig.logged.join().includes('123456'));
  });
});

describe('internal errors', () => {
  test('stay in the log, and the client is told only that one occurred', async () => {
    const account = rig.store.account;
    rig.store.account = async () => {
      throw new Error('an inner matter');
    };
    const answer = await call(rig.socket, { method: 'GET', path: '/v1/users/alice' });
    rig.store.account = account;
    assert.equal(answer.status, 500);
    assert.equal(answer.body.error?.code, 'internal');
    assert.ok(!answer.body.error?.message.includes('inner'));
    assert.ok(rig.logged.some((line) => line.includes('an inner matter')));
  });

  test('a damaged record is reported as such', async () => {
    await rig.store.put('portal', {});
    rig.store.damage('portal');
    assert.equal(await codeOf('GET', '/v1/users/portal'), 'record-damaged');
  });
});

describe('the socket', () => {
  test('accepts connections of all users, and replaces a stale one', async () => {
    assert.equal(lstatSync(rig.socket).mode & 0o777, 0o666);
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-stale-'));
    const path = join(directory, 'control.sock');
    const left = createServer().listen(path);
    await new Promise((resolve) => left.once('listening', resolve));
    const second = await startControl();
    await second.server.close();
    await assert.doesNotReject(second.server.listen({ path }));
    assert.equal((await call(path, { method: 'GET', path: '/v1/realms' })).status, 200);
    await second.close();
    left.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test('never replaces a file', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-file-'));
    const path = join(directory, 'control.sock');
    writeFileSync(path, 'precious');
    const second = await startControl();
    await second.server.close();
    await assert.rejects(second.server.listen({ path }), { code: 'socket-path' });
    await second.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test('is removed once the server is closed', async () => {
    const second = await startControl();
    await second.server.close();
    assert.throws(() => lstatSync(second.socket), { code: 'ENOENT' });
    await second.close();
  });
});

describe('limits', () => {
  const limited = (change: object, work: (second: ControlRig) => Promise<void>) => async () => {
    const second = await startControl({ limits: change });
    try {
      await work(second);
    } finally {
      for (const child of held.splice(0)) child.kill();
      await second.close();
    }
  };

  test(
    'a silent or slow client is dropped; one that is in time is answered',
    limited({ controlRequestWait: 300 }, async ({ socket, server }) => {
      const silent = await rawConnection(socket);
      const head = await rawConnection(socket);
      head.write('GET /v1/status HTTP/1.1\r\nhost: x\r\nx-slow: ');
      const body = await rawConnection(socket);
      body.write('POST /v1/users/alice/verify HTTP/1.1\r\nhost: x\r\ncontent-length: 20\r\n\r\n{"answer"');
      const all = await Promise.all([silent, head, body].map(untilClosed));
      for (const text of all) assert.match(text, /408 .*request-timeout/s);
      await until('an empty house', () => server.connections() === 0);
      assert.equal((await call(socket, { method: 'GET', path: '/v1/status' })).status, 200);
    }),
  );

  test(
    'one uid has a limited number of connections, and gets its slots back',
    limited({ controlConnectionsPerUid: 2 }, async ({ socket, server }) => {
      const script = holdAs(uids.alice, socket, 3);
      assert.deepEqual(await script.verdicts, ['open', 'open', 'too-many-connections']);
      const [carol] = await callAs(uids.carol, socket, [{ method: 'GET', path: '/v1/users/carol' }]);
      assert.equal(carol?.status, 200);
      await script.end();
      await until('places', () => server.connections() === 0);
      const [again] = await callAs(uids.alice, socket, [{ method: 'GET', path: '/v1/users/alice' }]);
      assert.equal(again?.status, 200);
    }),
  );

  test(
    'all local users together have a limit, and root still connects',
    limited({ controlConnections: 3, controlConnectionsPerUid: 2 }, async ({ socket }) => {
      const alice = holdAs(uids.alice, socket, 2);
      assert.deepEqual(await alice.verdicts, ['open', 'open']);
      const carol = holdAs(uids.carol, socket, 2);
      assert.deepEqual(await carol.verdicts, ['open', 'too-many-connections']);
      assert.equal((await call(socket, { method: 'GET', path: '/v1/status' })).status, 200);
      await alice.end();
      await carol.end();
    }),
  );

  test(
    'root has a limit too',
    limited({ controlConnections: 2 }, async ({ socket, server }) => {
      const open = [await rawConnection(socket), await rawConnection(socket)];
      await until('two connections', () => server.connections() === 2);
      const refused = await call(socket, { method: 'GET', path: '/v1/status' });
      assert.equal(refused.status, 429);
      for (const one of open) one.destroy();
      await until('places', () => server.connections() === 0);
      assert.equal((await call(socket, { method: 'GET', path: '/v1/status' })).status, 200);
    }),
  );

  test('a head up to its limit is read, and not beyond', async () => {
    const get = (size: number) =>
      call(rig.socket, { method: 'GET', path: '/v1/status', headers: { 'x-filler': 'x'.repeat(size) } });
    assert.equal((await get(limits.controlHeaderBytes - 200)).status, 200);
    assert.equal((await get(limits.controlHeaderBytes)).body.error?.code, 'header-too-large');
  });

  test('invalid HTTP is answered with an error and dropped', async () => {
    for (const bytes of ['\0\0\0\x05hello', 'HELLO\r\n\r\n', 'GET /v1/status HTTP/9.9\r\n\r\n']) {
      const socket = await rawConnection(rig.socket);
      socket.write(bytes);
      assert.match(await untilClosed(socket), /bad-request/);
    }
  });
});

/** Processes that hold connections. */
const held: ChildProcess[] = [];

/** Holds connections open as another uid; each reports its result. */
function holdAs(uid: number, socketPath: string, count: number) {
  const program = `
    const net = require('node:net');
    const path = ${JSON.stringify(socketPath)};
    (async () => {
      for (let i = 0; i < ${count}; i += 1) await new Promise((done) => {
        const socket = net.connect(path);
        let text = '';
        // An accepted connection is answered, and then waits for the next request.
        socket.write('GET /v1/users/nobody HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n');
        socket.on('error', () => {});
        socket.on('data', (chunk) => {
          text += chunk;
          if (!text.endsWith('}}')) return;
          console.log(text.includes('"too-many-connections"') ? 'too-many-connections' : 'open');
          done();
        });
      });
      console.log('all');
    })();
    process.stdin.resume().on('end', () => process.exit(0));`;
  const child = spawn(process.execPath, ['-e', program], {
    uid,
    gid: uid,
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  held.push(child);
  const verdicts = (async () => {
    let said = '';
    for await (const chunk of child.stdout.setEncoding('utf8')) {
      said += chunk;
      if (said.includes('all')) break;
    }
    return said.split('\n').filter((line) => line !== '' && line !== 'all');
  })();
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    verdicts,
    end: async () => {
      child.stdin.end();
      await ended;
    },
  };
}
