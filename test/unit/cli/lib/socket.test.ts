import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CliError } from '../../../../cli/lib/errors.ts';
import { controlSocket } from '../../../../cli/lib/socket.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-cli-'));
mkdirSync(join(directory, 'etc'));
after(() => rmSync(directory, { recursive: true, force: true }));

const written = (name: string, text: string) => {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
};

test("the file determines the daemon's socket", () => {
  assert.equal(controlSocket(written('a', '[paths]\ncontrol_socket = "/x/y.sock"\n')), '/x/y.sock');
});

test('also a file that is invalid elsewhere, or not TOML any more', () => {
  const line = 'control_socket = "/x/y.sock"  # there';
  assert.equal(controlSocket(written('b', `[paths]\n${line}\n[[realm]]\nnonsense = 1\n`)), '/x/y.sock');
  assert.equal(controlSocket(written('c', `[paths]\n${line}\n[[realm]\n`)), '/x/y.sock');
});

test('a file without the setting means the default, below --root the one beside it', () => {
  assert.equal(controlSocket(written('d', '')), '/run/sallyport/control.sock');
  assert.equal(
    controlSocket(written('e', '[paths]\ncontrol_socket = "relative"\n')),
    '/run/sallyport/control.sock',
  );
  assert.equal(controlSocket(written('etc/sallyport.toml', '')), join(directory, 'run/control.sock'));
});

test('a named file that cannot be read is an error', () => {
  assert.throws(
    () => controlSocket(join(directory, 'none')),
    (error: unknown) => error instanceof CliError && error.code === 'config-unreadable',
  );
});
