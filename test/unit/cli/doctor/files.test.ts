import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connectTo, realFiles, runProgram } from '../../../../cli/doctor/files.ts';

let directory: string;
let server: Server;
before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-look-'));
  writeFileSync(join(directory, 'file'), 'text', { mode: 0o640 });
  symlinkSync('nowhere', join(directory, 'link'));
  server = createServer((socket) => socket.on('error', () => undefined));
  await new Promise<void>((done) => server.listen(join(directory, 'socket'), done));
});
after(async () => {
  await new Promise((done) => server.close(done));
  rmSync(directory, { recursive: true, force: true });
});

const kindOf = async (name: string) => (await realFiles.look(join(directory, name))).kind;

test('existing files, missing files, and links as links', async () => {
  const names = ['file', '.', 'link', 'socket', 'missing', 'file/below'];
  assert.deepEqual(await Promise.all(names.map(kindOf)), [
    ...['file', 'directory', 'link', 'socket', 'absent', 'absent'],
  ]);
  const entry = await realFiles.look(join(directory, 'file'));
  assert.ok('mode' in entry && entry.mode === 0o640 && entry.size === 4);
  assert.equal((await realFiles.read(join(directory, 'missing'))).kind, 'absent');
  assert.equal((await realFiles.read(directory)).kind, 'unseen');
  const space = await realFiles.space(directory);
  assert.ok(space.kind === 'space' && space.bytes > 0 && space.free <= space.bytes);
});

test('programs: their status, missing ones, and one that does not end', async () => {
  assert.deepEqual(await runProgram(['sh', '-c', 'echo a; echo b >&2; exit 3'], 20_000), {
    ...{ status: 3, stdout: 'a\n', stderr: 'b\n' },
  });
  assert.equal((await runProgram(['no-such-program-anywhere'], 20_000)).missing, true);
  const hung = await runProgram(['sleep', '600'], 50);
  assert.deepEqual([hung.status, hung.missing], [undefined, undefined]);
  assert.equal((await runProgram(['sh', '-c', 'cat; echo $LC_ALL'], 20_000)).stdout, 'C\n');
});

test('sockets: with a listener, without one, and missing', async () => {
  assert.equal(await connectTo(join(directory, 'socket'), 20_000), 'accepts');
  assert.equal(await connectTo(join(directory, 'file'), 20_000), 'silent');
  assert.equal(await connectTo(join(directory, 'missing'), 20_000), 'absent');
});
