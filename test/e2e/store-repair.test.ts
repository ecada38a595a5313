import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openLevel } from '../../daemon/store/leveldb/leveldb.ts';
import { recordKey } from '../../daemon/store/sealed/record-keys.ts';
import { hotp, newSecret } from '../support/codes.ts';
import { until } from '../support/rig/commands.ts';
import { Own } from '../support/sandbox.ts';

/** Finding damage, saving what can be saved, and replacing the key that encrypts everything. */
let own: Own;
const counter = newSecret();
let keys: readonly string[] = [];
const pristine = (): string => join(own.root, 'pristine');

before(async () => {
  own = await Own.init();
  await own.start();
  await own.addToken('hotp', 'mail', counter);
  await own.addToken('hotp', 'games', counter);
  keys = await own.addRecovery('mail');
  assert.equal(await own.verify('mail', keys[0] ?? ''), 'accepted');
  await own.stop();
  cpSync(join(own.root, 'var'), pristine(), { recursive: true });
});
after(() => own.remove());

async function putBack(): Promise<void> {
  await own.stop();
  rmSync(join(own.root, 'var'), { recursive: true });
  cpSync(pristine(), join(own.root, 'var'), { recursive: true });
}

/** The newest file of the store. */
function log(): string {
  const name = readdirSync(own.store).find((candidate) => candidate.endsWith('.log'));
  assert.ok(name !== undefined);
  return join(own.store, name);
}

describe('store check', () => {
  test('reports an undamaged store, running and stopped, and changes nothing', async () => {
    await putBack();
    const found = own.bytes();
    const stopped = await own.cli(['store', 'check', '--json']);
    assert.equal(stopped.status, 0, stopped.stderr);
    assert.equal(JSON.parse(stopped.stdout).whole, true);
    assert.ok(own.bytes().equals(found));
    assert.deepEqual(own.leftovers(), []);
    await own.start();
    const running = await own.cli(['store', 'check', '--json']);
    assert.deepEqual([running.status, JSON.parse(running.stdout).accounts], [0, 2]);
    await own.stop();
  });

  test('finds a changed byte, and a missing anchor', async () => {
    await putBack();
    const bytes = readFileSync(log());
    bytes.writeUInt8(bytes.readUInt8(Math.floor(bytes.length / 2)) ^ 1, Math.floor(bytes.length / 2));
    writeFileSync(log(), bytes);
    const damaged = await own.cli(['store', 'check']);
    assert.equal(damaged.status, 1);
    assert.match(damaged.stdout, /damaged/);
    await putBack();
    rmSync(join(own.root, 'var/anchor'));
    const lost = await own.cli(['store', 'check']);
    assert.equal(lost.status, 1);
    assert.match(lost.stdout, /anchor/);
  });
});

describe('store repair', () => {
  test('leaves an undamaged store as it is', async () => {
    await putBack();
    const found = own.bytes();
    const done = await own.cli(['store', 'repair', '--yes']);
    assert.match(done.stderr, /nothing was changed/);
    assert.ok(own.bytes().equals(found));
  });

  test('creates a new anchor, and then treats no code as unused', async () => {
    await putBack();
    rmSync(join(own.root, 'var/anchor'));
    const reported = await own.must(['store', 'repair', '--yes']);
    assert.match(reported, /^mail\trecovery-void\t/m);
    const client = await own.start();
    for (const key of keys.slice(0, 2)) assert.notEqual(await own.verify('mail', key), 'accepted');
    assert.equal((await client.verify('mail', { answer: hotp(counter, 0) })).outcome, 'refused');
    const two = { answer: hotp(counter, 1), previous: hotp(counter, 0) };
    assert.equal((await client.verify('mail', two)).outcome, 'accepted');
    assert.match(await own.must(['audit']), /repaired from what could be read/);
    assert.match((await own.cli(['audit', 'verify'])).stdout, /repaired/);
    await own.must(['audit', 'verify']);
    await own.stop();
  });

  test('saves what it can of a store with a damaged log, and names the accounts that it could not save', async () => {
    await putBack();
    const bytes = readFileSync(log());
    const at = bytes.lastIndexOf(Buffer.from('games'));
    assert.ok(at > 0);
    bytes.writeUInt8(bytes.readUInt8(at + 30) ^ 1, at + 30);
    writeFileSync(log(), bytes);
    const reported = await own.must(['store', 'repair', '--yes']);
    assert.match(reported, /recovery-void|record-lost|two-in-a-row/);
    const client = await own.start();
    assert.equal((await client.status()).store.state, 'ok');
    assert.equal(
      (await own.cli(['store', 'check'])).status,
      (await client.status()).store.scrub.findings.length > 0 ? 1 : 0,
    );
    await own.stop();
  });

  test('keeps all other records of the newest store with one damaged record, and refuses that account', async () => {
    await putBack();
    const db = await openLevel(own.store, false);
    const record = await db.get(recordKey('games'));
    assert.ok(record !== undefined);
    record.writeUInt8(record.readUInt8(60) ^ 1, 60);
    await db.put(recordKey('games'), record, { sync: true });
    await db.close();
    assert.equal((await own.cli(['store', 'check'])).status, 1);
    assert.equal(await own.must(['store', 'repair', '--yes']), 'games\trecord-lost\t-\t-\n');
    await own.start();
    assert.equal(await own.verify('mail', keys[1] ?? ''), 'accepted', 'nothing of it is void');
    assert.equal(await own.verify('mail', hotp(counter, 0)), 'accepted');
    const refused = await own.cli(['factor', 'list', 'games']);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /damaged/);
    await own.stop();
    assert.equal(
      await own.must(['store', 'repair', '--yes', '--reset-account', 'games']),
      'games\tgiven-up\t-\t-\n',
    );
    assert.equal(await own.must(['store', 'check']), '');
    await own.start();
    await own.addToken('hotp', 'games', counter);
    assert.equal(await own.verify('mail', hotp(counter, 1)), 'accepted');
    await own.stop();
  });

  test('refuses while sallyportd runs', async () => {
    await putBack();
    await own.start();
    const done = await own.cli(['store', 'repair', '--yes']);
    assert.equal(done.status, 1);
    assert.match(done.stderr, /systemctl stop/);
    await own.stop();
  });
});

describe('master-key rotate', () => {
  test('re-encrypts everything while logins continue, and recovery keys stay usable', async () => {
    await putBack();
    const client = await own.start();
    const [before] = (await own.must(['master-key', 'list'])).split('\t');
    const rotating = own.must(['master-key', 'rotate', '--yes']);
    for (let step = 0; step < 10; step += 1)
      assert.equal((await client.verify('games', { answer: hotp(counter, step) })).outcome, 'accepted');
    await rotating;
    const keysNow = await client.status();
    assert.equal(keysNow.keys?.rotation.kind, 'done');
    assert.deepEqual([keysNow.keys?.ids.length, keysNow.keys?.ids[1]], [2, before]);
    const shown = `sallyport_master_key_info{key_id="${keysNow.keys?.current}"} 1`;
    assert.ok((await own.must(['metrics'])).includes(shown));
    await own.must(['audit', 'verify']);
    const { mode, uid } = statSync(own.keyFile);
    assert.deepEqual([mode & 0o777, uid], [0o600, process.getuid?.()]);
    assert.equal(await own.verify('mail', keys[1] ?? ''), 'accepted');
  });

  test('an older key is removed only on request, and never while it is needed', async () => {
    const [present, older] = (await own.must(['master-key', 'list']))
      .trim()
      .split('\n')
      .map((line) => line.split('\t')[0] ?? '');
    assert.equal((await own.cli(['master-key', 'remove', present ?? '', '--yes'])).status, 1);
    await own.must(['master-key', 'remove', older ?? '', '--yes']);
    assert.ok(!readFileSync(own.keyFile, 'utf8').includes(older ?? '?'));
    await own.stop('SIGKILL');
    await own.start();
    assert.equal(await own.verify('mail', keys[2] ?? ''), 'accepted', 'hashed under a key that is gone');
    assert.notEqual(await own.verify('mail', keys[2] ?? ''), 'accepted');
    assert.equal((await own.cli(['store', 'check'])).status, 0);
    await own.stop();
  });

  test('a key that encrypts a record cannot be removed manually', async () => {
    const client = await own.start();
    const good = readFileSync(own.keyFile, 'utf8');
    writeFileSync(own.keyFile, `other ${Buffer.alloc(32, 7).toString('base64')}\n`);
    await assert.rejects(client.adoptKeys(), { code: 'master-key-rejected' });
    writeFileSync(own.keyFile, good);
    await own.stop();
  });

  test('a rotation that the daemon does not know of continues at its next start', async () => {
    await own.start();
    await own.stop();
    const text = readFileSync(own.keyFile, 'utf8');
    await own.must(['master-key', 'rotate', '--key-file', own.keyFile]);
    assert.notEqual(readFileSync(own.keyFile, 'utf8'), text);
    const client = await own.start();
    await until('it is sealed anew', async () => (await client.status()).keys?.rotation.kind === 'done');
    await own.stop();
  });
});
