import assert from 'node:assert/strict';
import { chmodSync, chownSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { hotp, newSecret } from '../support/codes.ts';
import { run } from '../support/rig/commands.ts';
import { Own } from '../support/sandbox.ts';

/** `--offline`: root's work on a store without a running daemon, done as the owner of the store. */
let own: Own;
const token = newSecret();
const nobody = 65_534;

before(async () => {
  own = await Own.init();
  await own.start();
  await own.addToken('hotp', 'mail', token);
  for (let wrong = 0; wrong < 8; wrong += 1) await own.verify('mail', '000000');
  await own.must(own.backup(join(own.root, 'backup')));
  await own.stop();
  // As on an installed system: the store has its own user, the configuration belongs to root.
  chmodSync(join(own.root, '..'), 0o755);
  const give = (path: string): void => {
    chownSync(path, nobody, nobody);
    if (statSync(path).isDirectory()) for (const name of readdirSync(path)) give(join(path, name));
  };
  give(join(own.root, 'var'));
  give(own.keyFile);
});
after(() => own.remove());

function owners(): ReadonlySet<number> {
  const directories = [join(own.root, 'var'), own.store];
  const paths = directories.flatMap((directory) =>
    readdirSync(directory).map((name) => join(directory, name)),
  );
  return new Set([own.keyFile, ...paths].map((path) => statSync(path).uid));
}

test('root unlocks, lists and adds recovery keys; every file keeps its owner', async () => {
  await own.must(['user', 'unlock', 'mail', '--offline']);
  assert.match(await own.must(['factor', 'list', 'mail', '--offline']), /hotp/);
  const added = await own.must(['factor', 'add', 'recovery', 'mail', '--offline']);
  assert.equal(added.trim().split('\n').length, 10);
  assert.match(await own.must(['audit', '--offline']), /unlocked\tdone\tby-admin.*uid:0 offline/);
  assert.deepEqual([...owners()], [nobody]);
});

test('a restore and a repair keep the owner too', async () => {
  await own.must(own.opening('restore', join(own.root, 'backup'), '--yes'));
  assert.deepEqual([...owners()], [nobody]);
  await own.must(['store', 'repair', '--yes']);
  await own.must(['store', 'check']);
  assert.deepEqual([...owners()], [nobody]);
});

test('other users may not, and operations that need verification are refused', async () => {
  const asDaemon = ['--reuid=1', '--regid=1', '--clear-groups', process.execPath];
  const other = await run('setpriv', [...asDaemon, ...own.command(['user', 'unlock', 'mail', '--offline'])]);
  assert.notEqual(other.status, 0);
  assert.doesNotMatch(other.stderr, /is unlocked/);
  const added = await own.cli(['factor', 'add', 'totp', 'mail', '--no-verify', '--offline']);
  assert.equal(added.status, 2);
  assert.match(added.stderr, /needs a running sallyportd/);
  const unknown = await own.cli(['user', 'unlock', 'nobody-of-this-name', '--offline']);
  assert.equal(unknown.status, 3);
});

test('two at a time: one opens the store, the other gets an error', async () => {
  const both = await Promise.all([1, 2, 3, 4].map(() => own.cli(['factor', 'list', 'mail', '--offline'])));
  assert.ok(both.some(({ status }) => status === 0));
  for (const { status, stderr } of both) if (status !== 0) assert.match(stderr, /Stop it first/);
});

test('lockouts survive a restore, and the daemon continues from the result', async () => {
  await own.must(own.opening('restore', join(own.root, 'backup'), '--yes', '--ignore-store'));
  chownSync(own.keyFile, 0, 0);
  const client = await own.start();
  const locked = await client.verify('mail', { answer: hotp(token, 0) });
  assert.equal(locked.outcome === 'refused' && locked.reason, 'codes-locked');
  await own.stop();
});
