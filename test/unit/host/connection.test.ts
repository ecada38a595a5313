import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { addonFile, loadAddon, readiness } from '../../../daemon/host/addon.ts';
import type { Connection } from '../../../daemon/host/connection.ts';
import { type Listener, openListener } from '../../../daemon/host/listener.ts';
import { createSocketLink } from '../../../daemon/host/socket-link.ts';
import { limits } from '../../../daemon/limits.ts';
import type { ModuleFrame } from '../../../daemon/protocol/login.ts';
import { echoConnections, fuzzConnections } from '../../support/connection-fuzz.ts';
import { hostWith } from '../../support/host.ts';
import { answer, cancel, hello } from '../../support/module-frames.ts';
import { until } from '../../support/until.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-connection-'));
const path = join(directory, 'socket');
after(() => rmSync(directory, { recursive: true }));

let listener: Listener;
/** What each connection reported, in order. */
let reports: string[][];
let connections: Connection[];
let connected: (connection: Connection) => void;

function record(connection: Connection): string[] {
  const seen: string[] = [];
  connection.listen({
    data: (chunk) => seen.push(String(chunk)),
    ended: () => seen.push('ended'),
    closed: () => seen.push('closed'),
  });
  return seen;
}

beforeEach(() => {
  reports = [];
  connections = [];
  connected = (connection) => {
    connections.push(connection);
    reports.push(record(connection));
  };
  listener = openListener(
    { path },
    {
      connected: (connection) => connected(connection),
      failed: (message) => assert.fail(message),
      unidentified: (message) => assert.fail(message),
    },
  );
});
afterEach(async () => {
  for (const connection of connections) connection.destroy();
  await listener.close();
  assert.ok(!existsSync(path));
});

async function client(): Promise<{ socket: Socket; connection: Connection; seen: string[] }> {
  const count = connections.length;
  const socket = connect({ path, allowHalfOpen: true });
  socket.on('error', () => undefined);
  await until(() => connections.length > count, 60_000);
  const [connection, seen] = [connections[count], reports[count]];
  assert.ok(connection !== undefined && seen !== undefined);
  return { socket, connection, seen };
}

async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'end');
  return Buffer.concat(chunks);
}

/** Writes numbered blocks until some of them wait here, which no kernel buffer of the size takes. */
function overfill(connection: Connection, waiting: number): Buffer {
  const blocks: Buffer[] = [];
  const block = () => {
    const bytes = Buffer.alloc(1_024, `${blocks.length} `);
    blocks.push(Buffer.from(bytes));
    connection.write(bytes);
    assert.ok(
      bytes.every((byte) => byte === 0),
      'what was sent is wiped',
    );
  };
  while (connection.unsent === 0) {
    assert.ok(blocks.length < 100_000, 'no block waits');
    block();
  }
  for (let each = 0; each < waiting; each += 1) block();
  return Buffer.concat(blocks);
}

describe('what is written to a client that does not read', () => {
  it('arrives whole and in order once it reads, and the end behind it', async () => {
    const { socket, connection, seen } = await client();
    const sent = overfill(connection, 32);
    connection.destroySoon();
    connection.write(Buffer.from('dropped'));
    assert.deepEqual(seen, []);
    assert.ok((await readAll(socket)).equals(sent));
    await until(() => seen.length > 0, 60_000);
    assert.deepEqual(seen, ['closed']);
  });

  it('arrives slowly, while the client is heard all the time', async () => {
    const { socket, connection, seen } = await client();
    const sent = overfill(connection, 32);
    socket.write('still here');
    await until(() => seen.includes('still here'), 60_000);
    const parts: Buffer[] = [];
    let length = 0;
    await until(() => {
      const part: Buffer | null = socket.read(Math.min(20_000, sent.length - length)) ?? socket.read();
      if (part !== null) length += parts.push(part) && part.length;
      return length === sent.length;
    }, 60_000);
    assert.ok(Buffer.concat(parts).equals(sent));
    connection.write(Buffer.from('and more'));
    await until(() => String(socket.read() ?? '') === 'and more', 60_000);
    socket.destroy();
  });

  it('is bounded: beyond it the connection is closed', async () => {
    const { connection, seen } = await client();
    overfill(connection, limits.unsentBytes / 1_024 + 1);
    assert.equal(connection.writable, false);
    await until(() => seen.length > 0, 60_000);
    assert.deepEqual(seen, ['closed']);
  });

  it('is waited for so long once nothing more is sent', async (context) => {
    const { connection, seen } = await client();
    overfill(connection, 1);
    context.mock.timers.enable({ apis: ['setTimeout'] });
    connection.destroySoon();
    context.mock.timers.tick(limits.unsentWait - 1);
    await Promise.resolve();
    assert.deepEqual(seen, []);
    context.mock.timers.tick(1);
    await Promise.resolve();
    assert.deepEqual(seen, ['closed']);
  });

  it('is dropped when the client goes away', async () => {
    for (const leave of [
      (connection: Connection) => connection.destroySoon(),
      (connection: Connection) => connection.end(Buffer.from('no')),
      () => undefined,
    ]) {
      const { socket, connection, seen } = await client();
      overfill(connection, 1);
      leave(connection);
      socket.destroy();
      await until(() => seen.includes('closed'), 60_000);
      assert.deepEqual(seen.filter((each) => each === 'closed').length, 1);
      assert.equal(seen.at(-1), 'closed');
      assert.equal(connection.unsent, 0);
      connection.ready(readiness.writable);
    }
  });
});

describe('a client that leaves', () => {
  it('is reported once, last, whatever was under way', async () => {
    const descriptors = () => readdirSync('/proc/self/fd').length;
    const before = descriptors();
    for (const leave of [
      async (socket: Socket) => socket.destroy(),
      async (socket: Socket) => socket.end(),
      async (socket: Socket) => socket.end('half a frame'),
      async (socket: Socket, connection: Connection) => {
        connection.write(Buffer.from('unread'));
        socket.destroy();
      },
      async (socket: Socket, connection: Connection) => {
        socket.write('unread');
        connection.destroy();
        connection.destroy();
        connection.destroySoon();
        connection.write(Buffer.from('late'));
        connection.end(Buffer.from('late'));
        connection.ready(readiness.readable | readiness.writable);
        socket.resume();
        await until(() => socket.destroyed, 60_000);
      },
    ]) {
      const { socket, connection, seen } = await client();
      await leave(socket, connection);
      await until(() => seen.includes('closed'), 60_000);
      assert.equal(seen.indexOf('closed'), seen.length - 1);
    }
    await until(() => descriptors() === before, 60_000);
  });

  it('has read its answer, whatever it still sends, and is heard out', async () => {
    const { socket, connection, seen } = await client();
    let ended = false;
    connection.end(Buffer.from('no'), () => {
      ended = true;
    });
    assert.ok(ended && !connection.writable);
    assert.equal(String(await readAll(socket)), 'no');
    await new Promise((resolve) => socket.write('late', resolve));
    await until(() => seen.includes('late'), 60_000);
    socket.end();
    await until(() => seen.includes('closed'), 60_000);
    assert.deepEqual(seen, ['late', 'ended', 'closed']);
  });

  it('is closed at once, and reported later', async () => {
    const { connection, seen } = await client();
    connection.destroy();
    assert.deepEqual(seen, []);
    await Promise.resolve();
    assert.deepEqual(seen, ['closed']);
  });
});

describe('what is read', () => {
  it('is wiped once it was handed on', async () => {
    let kept: Buffer | undefined;
    connected = (connection) => {
      connections.push(connection);
      reports.push([]);
      const data = (chunk: Buffer) => {
        kept = chunk;
        assert.equal(String(chunk), 'secret');
      };
      connection.listen({ data, ended: () => undefined, closed: () => undefined });
    };
    const { socket } = await client();
    socket.write('secret');
    await until(() => kept !== undefined, 60_000);
    await new Promise(setImmediate);
    assert.ok(kept?.every((byte) => byte === 0));
    socket.destroy();
  });

  it('becomes the same frames, wherever it is cut', async () => {
    const frames: ModuleFrame['type'][] = [];
    connected = (connection) => {
      connections.push(connection);
      reports.push([]);
      createSocketLink(connection, { host: hostWith({}), socket: 'root', peerUid: 0 }).listen({
        frame: (frame) => frames.push(frame.type),
        violated: (error) => assert.fail(String(error)),
        ended: () => undefined,
        closed: () => undefined,
      });
    };
    const bytes = Buffer.concat([hello(), answer('123456'), cancel]);
    const { socket } = await client();
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const before = frames.length;
      socket.write(bytes.subarray(0, cut));
      await new Promise(setImmediate);
      socket.write(bytes.subarray(cut));
      await until(() => frames.length === before + 3, 60_000);
      assert.deepEqual(frames.slice(before), ['hello', 'answer', 'cancel']);
    }
    socket.destroy();
  });
});

describe('the addon', () => {
  it('takes no descriptor but one that it has accepted and that is open', async () => {
    const { Connections, listenAt } = loadAddon();
    const opened: number[] = [];
    const other = join(directory, 'other');
    const native = new Connections(listenAt(other, 8), (event, descriptor) => {
      if (event === 0) opened.push(descriptor);
    });
    const socket = connect(other);
    await until(() => opened.length === 1, 60_000);
    const [descriptor = -1] = opened;
    const bytes = Buffer.from('x');
    const calls = (each: number) => [
      () => native.read(each, bytes),
      () => native.write(each, bytes),
      () => native.await(each, readiness.readable),
      () => native.endWriting(each),
      () => native.close(each),
    ];
    for (const call of calls(0)) assert.throws(call, { code: 'not-open' });
    assert.throws(() => native.await(descriptor, 4), { code: 'ERR_INVALID_ARG_TYPE' });
    assert.throws(() => native.read(descriptor, 'x' as unknown as Buffer), { code: 'ERR_INVALID_ARG_TYPE' });
    assert.throws(() => native.read.call({} as typeof native, descriptor, bytes));
    native.close(descriptor);
    for (const call of calls(descriptor)) assert.throws(call, { code: 'not-open' });
    native.stop();
    for (const call of calls(descriptor)) assert.throws(call, { code: 'not-open' });
    native.stop();
    native.resume();
    socket.destroy();
  });

  it('lets a worker end while connections are open', async () => {
    const program = `
      const { workerData, parentPort } = require('node:worker_threads');
      const { connect } = require('node:net');
      const addon = require(workerData.addon);
      addon.startLookups({ threads: 1, queue: 1 });
      let count = 0;
      const native = new addon.Connections(addon.listenAt(workerData.path, 8), (event, descriptor) => {
        if (event !== 0) return;
        if (++count === 3 && workerData.how === 'exit') process.exit(7);
        if (count === 3) parentPort.postMessage('open');
        if (count === 3 && workerData.how === 'close') { native.stop(); native.close(descriptor); }
      });
      for (let each = 0; each < 3; each++) connect(workerData.path).on('error', () => undefined).unref();
      if (workerData.how === 'throw') setTimeout(() => { throw new Error('thrown'); }, 50);`;
    for (const how of ['exit', 'terminate', 'close', 'throw'] as const) {
      const workerData = { addon: addonFile(), path: join(directory, how), how };
      const worker = new Worker(program, { eval: true, workerData });
      worker.on('error', (error) => assert.match(String(error), /thrown/));
      const ended = new Promise((resolve) => worker.once('exit', resolve));
      if (how === 'terminate' || how === 'close') {
        await once(worker, 'message');
        await worker.terminate();
      }
      await ended;
    }
  });

  it('survives what clients and its user do in any order', async () => {
    await fuzzConnections({ path: join(directory, 'fuzz'), seed: 1, rounds: 300 });
    await echoConnections({ path: join(directory, 'echo'), seed: 1, rounds: 50 });
  });
});
