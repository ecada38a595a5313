import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { loadAddon } from '../../../daemon/host/addon.ts';
import { peerOf } from '../../../daemon/host/peer-credentials.ts';
import { type Reachable, reachable } from '../../support/reachable.ts';
import { until } from '../../support/until.ts';

/** Serves what is listened on already, as another uid, or a path of its own. */
const server = `
  const { openListener } = await import(process.argv[1]);
  const path = process.argv[2];
  if (path === undefined) process.setuid(65534);
  const listener = openListener(path === undefined ? { fd: 3 } : { path }, {
    connected: (connection) => connection.listen({
      data(data) {
        if (String(data) === 'end') process.exit(0);
        connection.write(Buffer.from('served: ' + data));
        connection.destroySoon();
      },
      ended: () => undefined,
      closed: () => undefined,
    }),
    failed: (message) => console.log('failed ' + message),
    unidentified: (message) => console.log('unidentified ' + message),
  });
  process.on('SIGTERM', async () => { await listener.close(); console.log('closed'); });
  process.on('SIGUSR2', () => console.log('alive'));
  console.log('ready');
`;
/**
 * A socket that root has made listen, for a server that is not root: what systemd and sallyportd are to each other.
 * Perl makes it, because Node cannot without serving it.
 */
const activate = `
  use Socket; use Fcntl; use POSIX;
  socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die; bind($s, sockaddr_un(shift)) or die; listen($s, 4096) or die;
  my $limit = shift;
  POSIX::dup2(fileno($s), 3) if fileno($s) != 3;
  fcntl(STDIN, F_SETFD, 0); open(my $keep, '<&=', 3); fcntl($keep, F_SETFD, 0);
  exec 'prlimit', "--nofile=$limit", @ARGV;
`;
const isRoot = process.geteuid?.() === 0;
const skip = isRoot ? false : 'a socket of root takes root';
const door = join(import.meta.dirname, '../../../daemon/host/listener.js');
let directory: string;
let reach: Reachable;
const running: ChildProcess[] = [];
let said = '';

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-door-'));
  chmodSync(directory, 0o755);
  reach = reachable(directory);
});
after(() => rmSync(directory, { recursive: true }));
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

async function start(name: string, descriptors = 256): Promise<{ path: string; child: ChildProcess }> {
  const path = join(directory, name);
  said = '';
  const node = [process.execPath, '--input-type=module', '-e', server, reach.path(door)];
  const [program, ...argv] = reach.argv(['perl', '-e', activate, path, `${descriptors}`, ...node]);
  return { path, child: await ready(spawn(program, argv)) };
}

async function startOwn(name: string, descriptors: number): Promise<{ path: string; child: ChildProcess }> {
  const path = join(directory, name);
  said = '';
  const node = [process.execPath, '--input-type=module', '-e', server, door, path];
  return { path, child: await ready(spawn('prlimit', [`--nofile=${descriptors}`, ...node])) };
}

async function ready(child: ChildProcess): Promise<ChildProcess> {
  running.push(child);
  child.stdout?.on('data', (text) => {
    said += text;
  });
  child.stderr?.on('data', (text) => {
    said += text;
  });
  await until(() => said.includes('ready') || child.exitCode !== null, 60_000);
  assert.match(said, /ready/);
  return child;
}

function connected(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => resolve(socket)).once('error', reject);
  });
}

async function answer(socket: Socket, text = 'x'): Promise<string> {
  let heard = '';
  socket.on('data', (data) => {
    heard += data;
  });
  socket.on('error', () => undefined);
  const over = new Promise((resolve) => socket.once('close', resolve));
  socket.write(text);
  await over;
  return heard;
}

async function servesBeyondItsDescriptors({ path, child }: { path: string; child: ChildProcess }) {
  const sockets = await Promise.all(Array.from({ length: 100 }, () => connected(path)));
  await until(() => said.includes('failed accept: EMFILE'), 60_000);
  assert.ok(
    sockets.every((socket) => !socket.destroyed),
    'no connection is closed without a response',
  );
  const answers = await Promise.all(sockets.map((socket) => answer(socket)));
  assert.deepEqual(
    answers.filter((text) => text !== 'served: x'),
    [],
    said,
  );
  assert.equal(child.exitCode, null);
}

describe('a socket that root made listen', { skip }, () => {
  it('is served, and stays root’s to whoever connects', async () => {
    const { path } = await start('peer');
    const socket = await connected(path);
    assert.equal(peerOf(socket).uid, 0, 'listen(2) makes it the caller’s');
    assert.equal(await answer(socket), 'served: x');
  });

  it('is served to many at once', async () => {
    const { path } = await start('many');
    const sockets = await Promise.all(Array.from({ length: 200 }, () => connected(path)));
    const answers = await Promise.all(sockets.map((socket, index) => answer(socket, `${index}`)));
    assert.deepEqual(
      answers,
      sockets.map((_, index) => `served: ${index}`),
    );
  });

  it('keeps connections in its queue while there are no descriptors, and serves them afterwards', async () => {
    await servesBeyondItsDescriptors(await start('few', 48));
  });

  it('is let go with those who are served, and those who come wait in it', async () => {
    const { path, child } = await start('close');
    const first = await connected(path);
    await until(async () => (await connected(path)).destroy() !== undefined, 60_000);
    child.kill('SIGTERM');
    child.kill('SIGUSR2');
    await until(() => said.includes('alive'), 60_000);
    assert.doesNotMatch(said, /closed/, 'the first is served still');
    assert.equal(await answer(first), 'served: x');
    await until(() => said.includes('closed'), 60_000);
    await until(() => child.exitCode === 0, 60_000);
    assert.ok(existsSync(path), 'it is not ours to remove');
  });

  it('lets the process end as it is', async () => {
    const { path, child } = await start('exit');
    const socket = await connected(path);
    socket.on('error', () => undefined);
    socket.write('end');
    await until(() => child.exitCode !== null || child.signalCode !== null, 60_000);
    assert.deepEqual([child.exitCode, child.signalCode, said], [0, null, 'ready\n']);
  });
});

describe('a socket of our own', () => {
  it('keeps connections in its queue while there are no descriptors, and is removed at the end', async () => {
    const own = await startOwn('own', 48);
    await servesBeyondItsDescriptors(own);
    own.child.kill('SIGTERM');
    await until(() => own.child.exitCode === 0, 60_000);
    assert.match(said, /closed/);
    assert.ok(!existsSync(own.path));
  });

  it('has a path that the kernel can hold, in a directory that exists', () => {
    const { listenAt } = loadAddon();
    assert.throws(() => listenAt(join(directory, 'x'.repeat(108)), 1), { code: 'ENAMETOOLONG' });
    assert.throws(() => listenAt('', 1), { code: 'ENAMETOOLONG' });
    assert.throws(() => listenAt(join(directory, 'missing/socket'), 1), { code: 'ENOENT' });
  });
});

describe('a socket that does not listen, or is no Unix socket', () => {
  const { Connections } = loadAddon();
  const ignore = (): void => undefined;
  const descriptorOf = (socket: object): number => (socket as { _handle: { fd: number } })._handle.fd;

  it('is not served', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    assert.throws(() => new Connections(descriptorOf(socket), ignore), { code: 'not-listening' });
    assert.throws(() => new Connections(descriptorOf(server), ignore), { code: 'not-unix' });
    assert.throws(() => new Connections(99_999, ignore), { code: 'EBADF' });
    socket.destroy();
    server.close();
    await once(server, 'close');
  });
});
