import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { LoginRig, pam } from '../support/login-rig.ts';
import { field, frame, u32 } from '../support/module-frames.ts';
import { ModuleRig } from '../support/module-rig.ts';
import { compileSources, moduleDirectory, nativeTests } from '../support/native.ts';

const run = promisify(execFile);

const rig = new ModuleRig();
before(() => rig.build());
after(() => rig.remove());

/** A stack may accept AUTHINFO_UNAVAIL: a busy machine, or SIGSTOP, must not turn an answer into it. */
it('a program that did not run until after the deadline sees what arrived meanwhile', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-late-'));
  const server = net.createServer();
  try {
    const socket = path.join(directory, 'pam.sock');
    await once(server.listen(socket), 'listening');
    const program = await compileSources({
      output: path.join(directory, 'late_conn'),
      sources: [path.join(moduleDirectory, 'conn.c'), path.join(nativeTests, 'late_conn.c')],
      variant: 'asan',
      flags: ['-Wl,--wrap=recv,--wrap=connect'],
    });
    const { stdout } = await run(program, [socket]);
    assert.deepEqual(stdout.trim().split('\n'), [
      'a frame: ok 4',
      'silence: timeout 0',
      'room in the backlog: ok',
    ]);
  } finally {
    server.close();
    rmSync(directory, { recursive: true, force: true });
  }
});

describe('a program that did not run between its connection and HELLO, for longer than a daemon may be silent', () => {
  it('gives the daemon its time from HELLO on', async () => {
    const place = rig.place();
    await place.listen(async (peer) => {
      await peer.next();
      await new Promise((resolve) => setTimeout(resolve, 300));
      peer.send(frame(0x15, field(0x32, u32(pam.permDenied)), field(0x33, Buffer.alloc(2))));
    });
    assert.equal((await place.login({ words: ['late-hello=5200'] })).code, pam.permDenied);
  });

  it('finds a RESULT of the daemon, which waited for no HELLO any more', async () => {
    const logins = await LoginRig.start();
    try {
      const place = rig.place();
      const rawOptions = [`socket=${logins.rootSocket}`];
      const outcome = await place.login({ rawOptions, words: ['late-hello=6000'] });
      assert.equal(outcome.code, pam.systemErr);
      assert.deepEqual(logins.verifier.asked, []);
    } finally {
      await logins.stop();
    }
  });
});
