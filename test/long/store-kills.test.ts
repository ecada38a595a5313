import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { hotp, newSecret } from '../support/codes.ts';
import { Own } from '../support/sandbox.ts';

/**
 * Commands that rebuild a store are killed at one moment after another; the daemon must start with whatever is left.
 */
let own: Own;
let file: string;
let keys: readonly string[] = [];
const counter = newSecret();

before(async () => {
  own = await Own.init();
  const client = await own.start();
  await own.addToken('hotp', 'mail', counter);
  keys = await own.addRecovery('mail');
  for (let event = 0; event < 200; event += 1) await client.unlock('root');
  file = join(own.root, 'backup');
  await own.must(own.backup(file, '--with-master-key'));
  assert.equal(await own.verify('mail', keys[0] ?? ''), 'accepted');
  await own.stop();
});
after(() => own.remove());

/** Every file below the directory, with what a write, a rename or a removal changes of it. */
function stateOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  const own = `${path} ${found?.ino} ${found?.size}`;
  return found?.isDirectory() === true ? [own, ...namesIn(path).map(stateOf)].join('\n') : own;
}

/** A directory may be removed before it is read. */
function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch {
    return [];
  }
}

/** @returns false: the command ended before that many changes were seen */
async function seesChanges(count: number, { exitCode }: { readonly exitCode: () => number | null }) {
  let last = stateOf(own.root);
  for (let seen = 0; exitCode() === null; ) {
    const now = stateOf(own.root);
    if (now !== last) seen += 1;
    if (seen === count) return true;
    last = now;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return false;
}

/**
 * Runs a command, and kills it and the sallyportd that it started after a number of changes of the directory.
 * @param before what is killed first
 * @returns false: it ended before
 */
async function killed(
  words: readonly string[],
  changes: number,
  before: () => Promise<void> = async () => undefined,
): Promise<boolean> {
  const child = spawn(process.execPath, own.command(words), { stdio: 'ignore', detached: true });
  const ended = once(child, 'exit');
  const isReached = await seesChanges(changes, { exitCode: () => child.exitCode });
  await before();
  if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  await ended;
  return isReached;
}

/** Kills at one change after another, until the command completes first. `check` follows each of them. */
async function killedAtEach(
  kill: (changes: number) => Promise<boolean>,
  check: (changes: number) => Promise<void>,
): Promise<void> {
  let changes = 0;
  let isKilled = true;
  while (isKilled) {
    changes += 1;
    isKilled = await kill(changes);
    await check(changes);
  }
  console.log(`# ${changes - 1} kills`);
  assert.ok(changes > 1, 'it was killed at least once');
}

test('a restore leaves the old store or the new one, and a used key used', async () => {
  await killedAtEach(
    (changes) => killed(own.opening('restore', file, '--yes'), changes),
    async (changes) => {
      const client = await own.start();
      const { accounts, state } = (await client.status()).store;
      assert.deepEqual([accounts, state], [1, 'ok'], `killed at change ${changes}`);
      // A store that contains the key reports it as used; a restored one only as wrong.
      assert.match(await own.verify('mail', keys[0] ?? ''), /^(?:replay|wrong)$/);
      await client.unlock('mail');
      await own.stop(changes % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
    },
  );
});

test('a repair: started again it completes, and no used code is accepted again', async () => {
  rmSync(join(own.root, 'var/anchor'));
  await killedAtEach(
    (changes) => killed(['store', 'repair', '--yes'], changes),
    async () => undefined,
  );
  await own.must(['store', 'repair', '--yes']);
  const client = await own.start();
  assert.equal((await client.status()).store.accounts, 1);
  for (const key of keys.slice(0, 2)) assert.notEqual(await own.verify('mail', key), 'accepted');
  await client.unlock('mail');
  await own.addRecovery('mail');
  await own.stop();
});

test('a rotation: the daemon continues where it was, under either key', async () => {
  await own.start();
  await killedAtEach(
    // The daemon continues working when the command has ended: it is killed then too.
    (changes) => killed(['master-key', 'rotate', '--yes'], changes, () => own.stop('SIGKILL')),
    async (changes) => {
      const again = await own.start();
      assert.equal((await again.status()).store.state, 'ok', `killed at change ${changes}`);
      assert.equal((await again.user('mail')).factors.length, 2);
    },
  );
  await own.must(['master-key', 'rotate', '--yes']);
  const ids = (await own.must(['master-key', 'list']))
    .trim()
    .split('\n')
    .map((line) => line.split('\t')[0] ?? '');
  for (const id of ids.slice(1)) await own.must(['master-key', 'remove', id, '--yes']);
  await own.stop();
  const client = await own.start();
  const two = { answer: hotp(counter, 1), previous: hotp(counter, 0) };
  assert.equal((await client.verify('mail', two)).outcome, 'accepted');
  assert.equal(await own.must(['store', 'check']), '');
});
