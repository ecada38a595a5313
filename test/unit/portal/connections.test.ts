import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { limits } from '../../../portal/limits.ts';
import { until } from '../../support/call.ts';
import { held } from '../../support/held.ts';
import {
  ask,
  codeIn,
  loopbackProxy,
  origin,
  type PortalRig,
  rawSocket,
  signIn,
  startPortal,
} from '../../support/portal-rig.ts';

let rig: PortalRig;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await rig.close();
});

async function open(count: number): Promise<readonly Socket[]> {
  const opened: Socket[] = [];
  for (let n = 0; n < count; n++) opened.push(await rawSocket(rig));
  sockets.push(...opened);
  return opened;
}

function all(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => socket.once('close', () => resolve(String(Buffer.concat(chunks)))));
}

const head = (length: string) =>
  `POST /api/sign-in HTTP/1.1\r\nhost: localhost:8443\r\norigin: ${origin}\r\n` +
  `content-type: application/json\r\n${length}\r\n\r\n`;

describe('connections', () => {
  it('1 000 idle ones do not prevent an active one', async () => {
    rig = await startPortal();
    await open(1_000);
    for (let n = 0; n < 5; n++) {
      assert.equal((await ask(rig, 'GET /api/session')).status, 200);
    }
    assert.ok(rig.server.connections() <= limits.connectionsPerAddress);
  });

  it('through a proxy are bounded in all, not by its address', async () => {
    rig = await startPortal({
      proxies: [loopbackProxy],
      limits: { connections: 40, connectionsPerAddress: 10 },
    });
    await open(100);
    await until('the limit', () => rig.server.connections() === 40);
    assert.equal((await ask(rig, 'GET /api/session')).status, 200);
  });

  it('with a current request are not displaced', async () => {
    rig = await startPortal({ limits: { connectionsPerAddress: 3 } });
    const { promise, release } = held();
    rig.daemon.holds = promise;
    const body = '{"by":"password","user":"x","password":"y"}';
    const busy = await open(3);
    for (const socket of busy) socket.write(head(`content-length: ${body.length}`) + body);
    await until('all are worked on', () => rig.daemon.asked.length === 3);
    await assert.rejects(ask(rig, 'GET /api/session'));
    release();
    assert.ok(rig.logged.some((line) => line.includes('connection-refused')));
    busy[0]?.destroy();
    await until('a place', () => rig.server.connections() === 2);
    assert.equal((await ask(rig, 'GET /api/session')).status, 200);
  });

  it('with slow bodies prevent neither new clients nor signed-in users', async () => {
    const connections = 64;
    rig = await startPortal({ limits: { connections, connectionsPerAddress: 16 } });
    const cookie = await signIn(rig);
    const own = await rawSocket(rig);
    sockets.push(own);
    let heard = '';
    own.on('data', (chunk: Buffer) => {
      heard += String(chunk);
    });
    const isSignedIn = async () => {
      heard = '';
      own.write(`GET /api/session HTTP/1.1\r\nhost: localhost:8443\r\ncookie: ${cookie}\r\n\r\n`);
      await until('an answer', () => heard.includes('"account":"alice"'));
    };
    await isSignedIn();
    for (let round = 0; round < 3; round++) {
      for (let address = 2; address < 7; address++)
        for (let n = 0; n < 16; n++) {
          const socket = await rawSocket(rig, `127.0.0.${address}`);
          sockets.push(socket);
          // The server reports it once it has read the head.
          const read = new Promise((resolve) => socket.once('data', resolve).once('close', resolve));
          socket.write(`${head('expect: 100-continue\r\ncontent-length: 1000')}{`);
          await read;
        }
      await until('every place is taken', () => rig.server.connections() === connections);
      assert.equal((await ask(rig, 'GET /api/session')).status, 200);
      await isSignedIn();
    }
    assert.equal(own.closed, false);
  });

  it('with endless bodies are dropped after the time limit, however slowly they send', async () => {
    rig = await startPortal({ limits: { bodyWait: 200 } });
    const [stalled, trickling] = await open(2);
    assert.ok(stalled && trickling);
    const answers = Promise.all([all(stalled), all(trickling)]);
    for (const socket of [stalled, trickling]) socket.write(`${head('content-length: 1000')}{`);
    const drip = setInterval(() => trickling.write(' '), 20);
    for (const answer of await answers) assert.match(answer, /^HTTP\/1\.1 408 .*"code":"request-timeout"/s);
    clearInterval(drip);
    assert.deepEqual(rig.daemon.asked, []);
  });

  it('that send nothing are dropped', async () => {
    rig = await startPortal({ limits: { headWait: 300, requestWait: 300, checkInterval: 50 } });
    const [silent] = await open(1);
    assert.ok(silent);
    assert.match(await all(silent), /^HTTP\/1\.1 408 /);
  });

  it('with a slow head are dropped', async () => {
    rig = await startPortal({ limits: { headWait: 300, requestWait: 600, checkInterval: 50 } });
    const [slow] = await open(1);
    assert.ok(slow);
    const answer = all(slow);
    const drip = setInterval(() => slow.write('GET / HTTP/1.1\r\nx'[0] ?? ''), 40);
    assert.match(await answer, /^HTTP\/1\.1 (408|400) /);
    clearInterval(drip);
  });

  it('with a slow body are dropped', async () => {
    rig = await startPortal({ limits: { headWait: 300, requestWait: 500, checkInterval: 50 } });
    const [slow] = await open(1);
    assert.ok(slow);
    const answer = all(slow);
    slow.write(head('content-length: 1000'));
    const drip = setInterval(() => slow.write('{'), 40);
    await answer;
    clearInterval(drip);
    assert.ok(!rig.daemon.namesAsked().includes('beginSignIn'));
  });

  it('with a head that is too large are told so', async () => {
    rig = await startPortal();
    const answer = await ask(rig, 'GET /', { headers: { 'x-long': 'x'.repeat(limits.headerBytes) } });
    assert.equal(codeIn(answer), '431 header-too-large');
  });
});

describe('a body', () => {
  const large = randomBytes(10 * 1_048_576);

  it('of 10 MB is cut off, and the client is told why', async () => {
    rig = await startPortal();
    const answer = await ask(rig, 'POST /api/sign-in', { raw: large });
    assert.equal(codeIn(answer), '413 body-too-large');
    assert.equal(answer.headers.connection, 'close');
  });

  it('of 10 MB without a length is cut off too', async () => {
    rig = await startPortal();
    const answer = await ask(rig, 'POST /api/sign-in', {
      raw: large,
      headers: { 'content-length': null, 'transfer-encoding': 'chunked' },
    });
    assert.equal(codeIn(answer), '413 body-too-large');
    await until('the connection to be gone', () => rig.server.connections() === 0);
  });

  it('has at most 64 KiB', async () => {
    rig = await startPortal();
    const of = (bytes: number) => ask(rig, 'POST /api/sign-in', { raw: `"${'x'.repeat(bytes - 2)}"` });
    assert.equal(codeIn(await of(65_536)), '400 bad-request');
    assert.equal(codeIn(await of(65_537)), '413 body-too-large');
  });

  it('that is not read does not become the next request', async () => {
    rig = await startPortal();
    const [socket] = await open(1);
    assert.ok(socket);
    const answer = all(socket);
    const smuggled = 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n';
    socket.write(`${head(`content-length: ${smuggled.length}`).replace(origin, 'https://evil.example')}`);
    setTimeout(() => socket.write(smuggled), 50);
    const text = await answer;
    assert.match(text, /^HTTP\/1\.1 403 /);
    assert.equal(text.match(/HTTP\/1\.1/g)?.length, 1);
  });

  it('that is interrupted sends no request to the daemon', async () => {
    rig = await startPortal();
    const [socket] = await open(1);
    assert.ok(socket);
    socket.write(`${head('content-length: 100')}{"by":`);
    await new Promise((resolve) => setTimeout(resolve, 30));
    socket.destroy();
    await until('it to be gone', () => rig.server.connections() === 0);
    assert.deepEqual(rig.daemon.asked, []);
  });
});
