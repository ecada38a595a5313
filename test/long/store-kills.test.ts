import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { hotp, newSecret } from '../support/codes.ts';
import { Own } from '../support/sandbox.ts';

/** What makes a store anew is killed at one moment after another; whatever is left has to start. */
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

/** Runs a command, and kills it and the sallyportd that it started after so many milliseconds. */
async function killed(words: readonly string[], delay: number): Promise<void> {
  const child = spawn(process.execPath, own.command(words), { stdio: 'ignore', detached: true });
  const ended = once(child, 'exit');
  await Promise.race([sleep(delay), ended]);
  if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  await ended;
}

test('a restore leaves the old store or the new one, and a spent key spent', async () => {
  for (let delay = 300; delay <= 1_500; delay += 60) {
    await killed(own.opening('restore', file, '--yes'), delay);
    const client = await own.start();
    const { accounts, state } = (await client.status()).store;
    assert.deepEqual([accounts, state], [1, 'ok'], `killed after ${delay} ms`);
    // A store that knows the key says that it was used; one that was restored, only that it is wrong.
    assert.match(await own.verify('mail', keys[0] ?? ''), /^(?:replay|wrong)$/);
    await client.unlock('mail');
    await own.stop(delay % 120 === 0 ? 'SIGKILL' : 'SIGTERM');
  }
});

test('a repair: begun again it comes to its end, and nothing that was spent is back', async () => {
  rmSync(join(own.root, 'var/anchor'));
  for (let delay = 200; delay <= 1_000; delay += 80) await killed(['store', 'repair', '--yes'], delay);
  await own.must(['store', 'repair', '--yes']);
  const client = await own.start();
  assert.equal((await client.status()).store.accounts, 1);
  for (const key of keys.slice(0, 2)) assert.notEqual(await own.verify('mail', key), 'accepted');
  await client.unlock('mail');
  await own.addRecovery('mail');
  await own.stop();
});

test('a rotation: the daemon goes on where it was, under either key', async () => {
  for (let delay = 20; delay <= 400; delay += 40) {
    const client = await own.start();
    const rotating = killed(['key', 'rotate', '--yes'], 400 + delay);
    await sleep(250 + delay);
    await own.stop('SIGKILL');
    await rotating;
    const again = await own.start();
    assert.equal((await again.status()).store.state, 'ok', `killed after ${delay} ms`);
    assert.equal((await again.user('mail')).factors.length, 2);
    await own.stop();
    assert.ok(client);
  }
  await own.start();
  await own.must(['key', 'rotate', '--yes']);
  const ids = (await own.must(['key', 'list']))
    .trim()
    .split('\n')
    .map((line) => line.split('\t')[0] ?? '');
  for (const id of ids.slice(1)) await own.must(['key', 'forget', id, '--yes']);
  await own.stop();
  const client = await own.start();
  const two = { answer: hotp(counter, 1), previous: hotp(counter, 0) };
  assert.equal((await client.verify('mail', two)).outcome, 'accepted');
  assert.equal(await own.must(['store', 'check']), '');
});
