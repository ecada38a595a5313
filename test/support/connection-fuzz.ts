import assert from 'node:assert/strict';
import { connect } from 'node:net';
import type { Connection } from '../../daemon/host/connection.ts';
import { openListener } from '../../daemon/host/listener.ts';
import { until } from './until.ts';

/** Lehmer's generator: the same seed, the same run. */
export function randomFrom(seed: number): (below: number) => number {
  let state = (seed % 2_147_483_646) + 1;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

type Random = ReturnType<typeof randomFrom>;

interface Case {
  readonly path: string;
  readonly seed: number;
  /** Clients in all. */
  readonly rounds: number;
}

/** The user of a connection, who does anything at any time. */
function use(connection: Connection, random: Random): void {
  switch (random(8)) {
    case 0:
      connection.destroy();
      return;
    case 1:
      connection.destroySoon();
      return;
    case 2:
      connection.end(Buffer.alloc(random(100), 1), random(2) === 0 ? () => connection.destroy() : undefined);
      return;
    case 3:
      connection.write(Buffer.alloc(random(100_000), 2));
      return;
    case 4:
      connection.ready(random(4));
      return;
    default:
      connection.write(Buffer.alloc(random(40), 3));
  }
}

/** One client: random bytes, pauses and ends. */
async function visit(path: string, random: Random): Promise<void> {
  const socket = connect({ path, allowHalfOpen: true });
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  for (let step = random(6); step > 0; step -= 1) {
    if (random(3) === 0) socket.resume();
    if (random(3) === 0) socket.pause();
    if (!socket.destroyed && !socket.writableEnded)
      socket.write(Buffer.alloc(1 + random(40_000), random(256)));
    if (random(2) === 0) await new Promise(setImmediate);
  }
  if (random(2) === 0) socket.end();
  if (random(2) === 0) await new Promise(setImmediate);
  socket.destroy();
  await closed;
}

/** Clients and users that do anything in any order. Each connection is closed once, and nothing is left. */
export async function fuzzConnections({ path, seed, rounds }: Case): Promise<void> {
  const random = randomFrom(seed);
  const open = new Set<Connection>();
  let [opened, closed] = [0, 0];
  const listener = openListener(
    { path },
    {
      connected(connection) {
        opened += 1;
        open.add(connection);
        connection.listen({
          data: (chunk) => (chunk.length % 2 === 0 ? use(connection, random) : undefined),
          ended: () => (random(2) === 0 ? use(connection, random) : undefined),
          closed() {
            assert.ok(open.delete(connection), 'closed is reported once');
            closed += 1;
          },
        });
        if (random(2) === 0) use(connection, random);
        for (const other of open) if (random(20) === 0) use(other, random);
      },
      failed: (message) => assert.fail(message),
      unidentified: (message) => assert.fail(message),
    },
  );
  for (let round = 0; round < rounds; round += 10)
    await Promise.all(Array.from({ length: 10 }, () => visit(path, random)));
  for (const connection of open) connection.destroySoon();
  await listener.close();
  await until(() => opened === closed, 60_000);
  assert.ok(opened > rounds / 2, `only ${opened} of ${rounds} connections were taken`);
}

/** What a client sends comes back, in order and whole, however slowly it reads. */
export async function echoConnections({ path, seed, rounds }: Case): Promise<void> {
  const random = randomFrom(seed);
  const listener = openListener(
    { path },
    {
      connected(connection) {
        connection.listen({
          data: (chunk) => connection.write(Buffer.from(chunk)),
          ended: () => undefined,
          closed: () => undefined,
        });
      },
      failed: (message) => assert.fail(message),
      unidentified: (message) => assert.fail(message),
    },
  );
  for (let round = 0; round < rounds; round += 1) {
    const socket = connect({ path, allowHalfOpen: true });
    const echoed: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => {
      echoed.push(chunk);
      socket.pause();
      setImmediate(() => socket.resume());
    });
    const sent = Array.from({ length: 1 + random(5) }, () => Buffer.alloc(1 + random(8_000), random(256)));
    for (const chunk of sent) {
      socket.write(chunk);
      if (random(2) === 0) await new Promise(setImmediate);
    }
    socket.end();
    await new Promise((resolve) => socket.once('end', resolve));
    assert.ok(Buffer.concat(echoed).equals(Buffer.concat(sent)));
    socket.destroy();
  }
  await listener.close();
}
