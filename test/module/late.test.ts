import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { it } from 'node:test';
import { promisify } from 'node:util';
import { compileSources, moduleDirectory, nativeTests } from '../support/native.ts';

const run = promisify(execFile);

/** AUTHINFO_UNAVAIL may be let pass by a stack: a busy machine, or SIGSTOP, must not make it out of an answer. */
it('a program that did not run until after the deadline sees what came meanwhile', async () => {
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
