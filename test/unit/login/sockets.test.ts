import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { limits } from '../../../daemon/limits.ts';
import { poolsFor } from '../../../daemon/login/login-pools.ts';
import { createLoginServer } from '../../../daemon/login/server.ts';
import { LoginRig, pam, until } from '../../support/login-rig.ts';
import { hello } from '../../support/module-frames.ts';

/** Nothing reports a verified first factor. */
const unverified = { firstFactorPassed: Buffer.from([0]) } as const;

let rig: LoginRig;
beforeEach(async () => {
  rig = await LoginRig.start();
});
afterEach(() => rig.stop());

describe('the sockets', () => {
  it('replace one that a killed daemon left behind', async () => {
    const stale = path.join(rig.directory, 'stale.sock');
    const killed = spawn(process.execPath, [
      '-e',
      `require('node:net').createServer().listen(${JSON.stringify(stale)}, () => console.log())`,
    ]);
    await new Promise((resolve) => killed.stdout.once('data', resolve));
    killed.kill('SIGKILL');
    await new Promise((resolve) => killed.once('exit', resolve));
    assert.ok(existsSync(stale));
    const again = createLoginServer(rig.options);
    await again.listen('root', { path: stale });
    const login = rig.client(stale);
    login.send(hello());
    await login.sees('prompt');
    login.socket.destroy();
    await again.close();
    assert.ok(!existsSync(stale), 'and removed at the end');
  });

  it('have fewer slots than file descriptors, and report when none is free', async () => {
    const where = path.join(rig.directory, 'few.sock');
    const descriptors = limits.otherDescriptors + 50;
    const pools = poolsFor(descriptors);
    assert.ok(pools.waiting + pools.unverified + pools.verified + pools.refused + pools.user <= 50);
    const few = createLoginServer({ ...rig.options, descriptors });
    await few.listen('root', { path: where });
    const within = Array.from({ length: pools.verified }, () => rig.begun({}, where));
    for (const login of within) await login.sees('prompt');
    const beyond = await rig.begun({}, where).sees('result');
    await few.close();
    assert.ok(beyond.type === 'result' && beyond.code === pam.systemErr);
  });

  it('limit the slots of one name with a verified first factor, without affecting others', async () => {
    const logins = Array.from({ length: limits.loginsPerAccount }, () => rig.begun({ user: 'alice' }));
    for (const login of logins) await login.sees('prompt');
    const beyond = await rig.begun({ user: 'alice' }).sees('result');
    assert.ok(beyond.type === 'result' && beyond.code === pam.systemErr);
    await rig.begun({ user: 'bob' }).sees('prompt');
    await rig.begun({ user: 'alice' }, rig.userSocket).sees('prompt');
    await rig.begun({ user: 'alice', ...unverified }).sees('prompt');
    logins[0]?.socket.destroy();
    await until(() => rig.server.open() === limits.loginsPerAccount + 2, 'the place is given back');
    await rig.begun({ user: 'alice' }).sees('prompt');
  });

  it('keep a file that is not a socket', async () => {
    const file = path.join(rig.directory, 'file');
    writeFileSync(file, 'precious');
    await assert.rejects(createLoginServer(rig.options).listen('root', { path: file }), {
      code: 'socket-path',
    });
    assert.equal(statSync(file).size, 8);
  });

  it('send SYSTEM_ERR to logins at a prompt when they close', async () => {
    const login = rig.begun();
    await login.sees('prompt');
    await rig.server.close();
    assert.equal(await login.result(), pam.systemErr);
    assert.ok(!existsSync(rig.rootSocket) && !existsSync(rig.userSocket));
  });

  it('do not wait at the end for a client that does not close', async () => {
    const login = rig.client(rig.rootSocket, true);
    login.send(hello());
    await login.sees('prompt');
    await rig.server.close();
  });
});
