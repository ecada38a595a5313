import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { LoginRig, pam, until } from '../../support/login-rig.ts';
import { hello, type Seen, takeApart } from '../../support/module-frames.ts';

/** Connects many times as another uid, and reports what each connection received. */
const foreigner = `
const { connect } = require('node:net');
const [path, count, hex, stay] = process.argv.slice(1);
const heard = [];
let done = 0;
const report = () => { if (++done === Number(count)) process.stdout.write(JSON.stringify(heard) + '\\n'); };
for (let each = 0; each < Number(count); each += 1) {
  const socket = connect({ path, allowHalfOpen: true });
  let bytes = '';
  let told = false;
  const tell = () => { if (!told) { told = true; heard.push(bytes); report(); } };
  socket.on('connect', () => { if (hex) socket.write(Buffer.from(hex, 'hex')); });
  socket.on('data', (chunk) => { bytes += chunk.toString('hex'); tell(); });
  socket.on('end', tell);
  socket.on('error', tell);
  if (stay === 'trickle') setInterval(() => { if (!socket.destroyed) socket.write('x'); }, 500);
}
setTimeout(() => process.exit(), 20000);
`;

async function connectAs(
  uid: number,
  where: string,
  count: number,
  bytes: Buffer,
  stay = '',
): Promise<{ heard: Seen[][]; child: ChildProcess }> {
  const child = spawn(
    'setpriv',
    [
      '--reuid',
      String(uid),
      '--regid',
      String(uid),
      '--clear-groups',
      process.execPath,
      '-e',
      foreigner,
      where,
      String(count),
      bytes.toString('hex'),
      stay,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], cwd: '/' },
  );
  let text = '';
  child.stdout?.on('data', (chunk) => {
    text += chunk;
  });
  await until(() => text.endsWith('\n'), `${count} connections of uid ${uid} heard something`, 15_000);
  const heard = (JSON.parse(text) as string[]).map((hex) => [...takeApart(Buffer.from(hex, 'hex')).frames]);
  return { heard, child };
}

function codes(heard: readonly Seen[][]): unknown[] {
  return heard.map(([frame]) => (frame?.type === 'result' ? frame.code : frame?.type));
}

let rig: LoginRig;
beforeEach(async () => {
  rig = await LoginRig.start();
});
afterEach(() => rig.stop());

describe('served peers', () => {
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });
  const from = async (...args: Parameters<typeof connectAs>): Promise<unknown[]> => {
    const { heard, child } = await connectAs(...args);
    children.push(child);
    return codes(heard);
  };

  it('all users can connect to both sockets', () => {
    // A user who can connect to root's socket could fill its backlog.
    assert.equal(statSync(rig.rootSocket).mode & 0o777, 0o600);
    assert.equal(statSync(rig.userSocket).mode & 0o777, 0o666);
  });

  it('only root on pam.sock: another uid gets SYSTEM_ERR, and no prompt', async () => {
    chmodSync(rig.rootSocket, 0o666);
    assert.deepEqual(await from(65_534, rig.rootSocket, 3, hello()), [4, 4, 4]);
    assert.deepEqual(rig.verifier.asked, []);
    await rig.begun().sees('prompt');
  });

  it('a flood of another uid on pam.sock takes no slot of root', async () => {
    // More than the slots of root, and none of them closes its end.
    chmodSync(rig.rootSocket, 0o666);
    await from(65_534, rig.rootSocket, 4_200, Buffer.alloc(0), 'trickle');
    const login = rig.begun();
    await until(() => login.frames.length > 0, 'root is served');
    assert.equal(login.frames[0]?.type, 'prompt', 'root is refused because of a flood of another uid');
  });

  it('on pam-user.sock each uid has 16 slots; the next gets SYSTEM_ERR, and others are served', async () => {
    const heard = await from(65_534, rig.userSocket, 20, hello());
    assert.equal(heard.filter((each) => each === 'prompt').length, 16);
    assert.equal(heard.filter((each) => each === pam.systemErr).length, 4);
    assert.deepEqual(await from(65_533, rig.userSocket, 1, hello()), ['prompt']);
    assert.ok(
      rig.verifier.asked.every(({ rootSocket: root, firstFactorVerified: proven }) => !root && !proven),
    );
    assert.deepEqual([...new Set(rig.verifier.asked.map(({ peerUid }) => peerUid))], [65_534, 65_533]);
    await rig.begun().sees('prompt');
  });

  it('a flood of one uid on pam-user.sock takes no slot of another uid, nor of root', async () => {
    await from(65_534, rig.userSocket, 1_100, hello(), 'trickle');
    assert.deepEqual(await from(65_533, rig.userSocket, 1, hello()), ['prompt']);
    await rig.begun().sees('prompt');
  });

  it('a uid gets its slots back when its connections close', async () => {
    const { child } = await connectAs(65_534, rig.userSocket, 20, hello());
    child.kill('SIGKILL');
    await rig.nothingIsLeft();
    assert.deepEqual(await from(65_534, rig.userSocket, 1, hello()), ['prompt']);
  });
});
