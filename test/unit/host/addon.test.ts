import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { addonFile, loadAddon } from '../../../daemon/host/addon.ts';
import { compileC } from '../../support/native.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-addon-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const built = addonFile();

/** Runs a program of this build's addon in a separate process. */
function node(program: string) {
  const module = JSON.stringify(join(import.meta.dirname, '../../../daemon/host/addon.js'));
  const text = `import { addonFile, loadAddon } from ${module}; ${program}`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', text], { encoding: 'utf8' });
}

test('the addon is found beside the daemon when installed, and in build/Release of the repository', () => {
  for (const [daemon, addon] of [
    ['installed', 'installed/sallyport_addon.node'],
    ['one/daemon/host', 'one/build/Release/sallyport_addon.node'],
    ['two/dist/daemon/host', 'two/build/Release/sallyport_addon.node'],
  ] as const) {
    const file = join(directory, addon);
    mkdirSync(join(directory, daemon), { recursive: true });
    mkdirSync(join(file, '..'), { recursive: true });
    copyFileSync(built, file);
    assert.equal(addonFile(join(directory, daemon)), file);
  }
});

test('an addon that is missing or broken names the command that builds it', () => {
  const broken = join(directory, 'broken.node');
  writeFileSync(broken, 'not a library');
  for (const file of [broken, addonFile(join(directory, 'nowhere'))]) {
    const { stdout } = node(`
      try { loadAddon(${JSON.stringify(file)}); } catch (error) { console.log(error.code, error.message); }`);
    assert.match(stdout, /^addon-missing .*npm run build/);
    assert.ok(stdout.includes(file));
  }
});

test('a pending lookup keeps no process alive', () => {
  const { status, stderr } = node(`void loadAddon().lookupAccount({ name: 'root' }, [], 1000);`);
  assert.deepEqual([status, stderr], [0, '']);
});

test('the addon can be loaded in a worker, and the worker can end with pending lookups', async () => {
  const program = `
    const addon = require(${JSON.stringify(built)});
    addon.startLookups({ threads: 2, queue: 100 });
    for (let i = 0; i < 50; i++) void addon.lookupAccount({ uid: i }, ['root'], 1000);
    process.exit(7);`;
  for (let round = 0; round < 5; round++) {
    const [code] = await once(new Worker(program, { eval: true }), 'exit');
    assert.equal(code, 7);
  }
});

const datagram = join(directory, 'datagram');
compileC('datagram.c', datagram);

async function withNotifySocket<Result>(value: string | undefined, body: () => Result | Promise<Result>) {
  const before = process.env.NOTIFY_SOCKET;
  if (value === undefined) delete process.env.NOTIFY_SOCKET;
  else process.env.NOTIFY_SOCKET = value;
  try {
    return await body();
  } finally {
    if (before === undefined) delete process.env.NOTIFY_SOCKET;
    else process.env.NOTIFY_SOCKET = before;
  }
}

test('the service manager is notified on a path and on an abstract name, by this process', async () => {
  for (const address of [join(directory, 'notify.sock'), `@sallyport-test-${process.pid}`]) {
    const receiver = spawn(datagram, [address], { stdio: ['ignore', 'pipe', 'inherit'] });
    let heard = '';
    receiver.stdout.setEncoding('utf8').on('data', (text: string) => {
      heard += text;
    });
    await once(receiver.stdout, 'data');
    assert.equal(await withNotifySocket(address, () => loadAddon().notify('READY=1\nSTATUS=open')), true);
    await once(receiver, 'close');
    assert.equal(heard, `ready\n${process.pid} READY=1\nSTATUS=open\n`);
  }
});

test('without NOTIFY_SOCKET nothing is sent, and a wrong one is an error', async () => {
  const { notify } = loadAddon();
  for (const value of [undefined, ''])
    assert.equal(await withNotifySocket(value, () => notify('READY=1')), false);
  const wrong = { 'relative.sock': 'EINVAL', [`/${'x'.repeat(200)}`]: 'EINVAL', '/nowhere/x.sock': 'ENOENT' };
  for (const [value, code] of Object.entries(wrong)) {
    await withNotifySocket(value, () => assert.throws(() => notify('READY=1'), { code }, value));
  }
});

test('a service manager that does not read cannot block the event loop', async () => {
  const address = `@sallyport-deaf-${process.pid}`;
  const receiver = spawn(datagram, [address], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(receiver.stdout, 'data');
  receiver.kill('SIGSTOP');
  await withNotifySocket(address, () =>
    assert.throws(
      () => {
        for (let i = 0; i < 100_000; i++) loadAddon().notify('WATCHDOG=1');
      },
      { code: 'EAGAIN' },
    ),
  );
  receiver.kill('SIGKILL');
  await once(receiver, 'exit');
});

test('a process can make itself undumpable', () => {
  // The kernel gives the files of such a process to root, whoever it runs as. A copy, because that one may not
  // be let into the directory of the repository; from the start, because Debian 13's Node changes no uid later.
  const copy = join(directory, 'undumpable.node');
  chmodSync(directory, 0o755);
  copyFileSync(built, copy);
  const program = `
    const addon = require(${JSON.stringify(copy)});
    const read = () => {
      try { return require('fs').readFileSync('/proc/self/environ').length >= 0; } catch (e) { return e.code; }
    };
    addon.setDumpable(true); const before = read();
    addon.setDumpable(false); console.log(before, read());`;
  const run = spawnSync(process.execPath, ['-e', program], {
    ...{ uid: 65534, gid: 65534, cwd: '/', env: {}, encoding: 'utf8' },
  });
  assert.equal(run.stdout, 'true EACCES\n', run.stderr);
});

test('a passed descriptor is not inherited further', () => {
  // Node does the same for the first descriptors at its start, so the test uses a high one.
  const program = `
    const { readFileSync } = require('node:fs');
    const flags = () => /flags:\\s*(\\d+)/.exec(readFileSync('/proc/self/fdinfo/200', 'utf8'))[1];
    const closesOnExec = () => (Number.parseInt(flags(), 8) & 0o2000000) !== 0;
    const before = closesOnExec();
    require(process.argv[1]).closeOnExec(200);
    console.log(before, closesOnExec());`;
  const shell = 'exec 200</dev/null; exec "$@"';
  const command = ['-c', shell, 'bash', process.execPath, '-e', program, built];
  assert.equal(execFileSync('bash', command, { encoding: 'utf8' }), 'false true\n');
});

test('only a connected Unix socket has a peer', async () => {
  const { peerCredentials } = loadAddon();
  assert.throws(() => peerCredentials(2 ** 31 - 1), { code: 'EBADF' });
  assert.throws(() => peerCredentials(openSync('/dev/null', 'r')), { code: 'ENOTSOCK' });
  for (const [address, code] of [
    [join(directory, 'listening.sock'), 'not-connected'],
    [0, 'not-unix'],
  ] as const) {
    const server: Server = createServer().listen(address).unref();
    await once(server, 'listening');
    const { fd } = (server as unknown as { readonly _handle: { readonly fd: number } })._handle;
    assert.throws(() => peerCredentials(fd), { code });
    server.close();
  }
});
