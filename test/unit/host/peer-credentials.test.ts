import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { peerOf } from '../../../daemon/host/peer-credentials.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-peer-'));
after(() => rmSync(directory, { recursive: true, force: true }));
chmodSync(directory, 0o755);
let number = 0;

interface Listener {
  readonly server: Server;
  readonly path: string;
  readonly accepted: Promise<Socket>;
}

async function listen(): Promise<Listener> {
  const path = join(directory, `${++number}.sock`);
  // Unread, a connection stays open here when its other end is closed.
  const server = createServer({ pauseOnConnect: true });
  after(() => server.close());
  server.listen(path);
  await once(server, 'listening');
  chmodSync(path, 0o666);
  return { server, path, accepted: once(server, 'connection').then(([socket]) => socket as Socket) };
}

function close(server: Server, ...sockets: readonly Socket[]): void {
  for (const socket of sockets) socket.destroy();
  server.close();
}

const unknown = { name: 'SallyportError', code: 'peer-unknown' };

test('the peer of a connection is this process', async () => {
  const { server, path, accepted } = await listen();
  const client = connect(path);
  const socket = await accepted;
  assert.deepEqual(peerOf(socket), {
    pid: process.pid,
    uid: process.getuid?.(),
    gid: process.getgid?.(),
  });
  // Seen from the client, it is the listener.
  assert.equal(peerOf(client).pid, process.pid);
  close(server, client, socket);
});

test('the peer of a connection is a process of another uid', async () => {
  const { server, path, accepted } = await listen();
  const program = `require('node:net').connect(${JSON.stringify(path)}).on('error', () => process.exit(1))`;
  const ids = ['--reuid', '65534', '--regid', '65533', '--clear-groups'];
  const child = spawn('setpriv', [...ids, process.execPath, '-e', program], { stdio: 'inherit' });
  after(() => child.kill('SIGKILL'));
  const socket = await accepted;
  assert.deepEqual(peerOf(socket), { pid: child.pid, uid: 65_534, gid: 65_533 });
  child.kill('SIGKILL');
  await once(child, 'exit');
  // The kernel's record of connect(2) outlives the process.
  assert.equal(peerOf(socket).uid, 65_534);
  close(server, socket);
});

test('a TCP connection has no peer, though the kernel answers for it too', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [socket] = (await accepted) as [Socket];
  after(() => close(server, client, socket));
  assert.throws(() => peerOf(socket), unknown);
});

test('a closed socket has no peer', async () => {
  const { server, path, accepted } = await listen();
  const client = connect(path);
  const socket = await accepted;
  socket.destroy();
  assert.throws(() => peerOf(socket), unknown);
  close(server, client, socket);
});
