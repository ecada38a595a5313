import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createRefusals, type LingeringConnections } from '../../../daemon/host/lingering-close.ts';

let directory: string;
let server: Server;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-refusals-'));
});
afterEach(() => {
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

/** A client of a server that refuses every connection, and what happened to its writes after the answer. */
async function refusedBy(
  refusals: LingeringConnections<string>,
): Promise<{ client: Socket; written: Error | null | undefined }> {
  const socket = path.join(directory, 'socket');
  server = createServer({ allowHalfOpen: true }, (one) => refusals.send(one, 'no')).listen(socket);
  await once(server, 'listening');
  const client = connect({ path: socket, allowHalfOpen: true });
  client.on('error', () => {});
  const [answer] = await once(client, 'data');
  assert.equal(String(answer), 'no');
  const written = await new Promise<Error | null | undefined>((resolve) => client.write('late', resolve));
  return { client, written };
}

describe('a refused connection', () => {
  it('is drained, so that a late request does not cost the client the answer, and then closed', async () => {
    const { client, written } = await refusedBy(createRefusals(1));
    assert.ok(!written);
    client.end();
    await once(client, 'close');
  });

  it('is closed by a timeout if the client sends nothing more', async () => {
    const { client } = await refusedBy(createRefusals(1));
    const [connections] = await new Promise<[number]>((resolve) =>
      server.getConnections((_, count) => resolve([count])),
    );
    assert.equal(connections, 1);
    server.close();
    await once(server, 'close');
    client.destroy();
  });

  it('is dropped at once if enough others are drained', async () => {
    const { client, written } = await refusedBy(createRefusals(0));
    assert.ok(written);
    client.destroy();
  });
});
