import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { limits } from '../../../../daemon/limits.ts';
import { createMasterKey, loadKeyring } from '../../../../daemon/sealing/keyring.ts';
import { readAnchor } from '../../../../daemon/store/leveldb/anchor.ts';
import { createStore } from '../../../../daemon/store/leveldb/create.ts';
import { put } from '../../../support/store-records.ts';
import { StoreRig } from '../../../support/store-rig.ts';
import { until } from '../../../support/until.ts';

describe('opening and creating a store', () => {
  let rig: StoreRig;
  beforeEach(async () => {
    rig = await StoreRig.create();
  });
  afterEach(() => rig.remove());

  it('creates it readable only by its owner, with a reserve of real size', async () => {
    assert.equal(statSync(rig.directory).mode & 0o777, 0o700);
    for (const file of [rig.anchor, `${rig.directory}.reserve`, rig.file(/\.log$/)]) {
      assert.equal(statSync(file).mode & 0o077, 0, file);
    }
    const { blocks, size } = statSync(`${rig.directory}.reserve`);
    assert.equal(size, rig.options().reserveBytes);
    assert.ok(blocks * 512 >= size);
  });

  it('never creates one over existing data: a store, any directory, or the anchor of a lost store', async () => {
    const before = rig.fingerprint();
    await assert.rejects(createStore(rig.options()), { code: 'store-exists' });
    assert.equal(rig.fingerprint(), before);
    rmSync(rig.directory, { recursive: true });
    await assert.rejects(createStore(rig.options()), { code: 'store-exists', message: /there was one/ });
    rmSync(rig.anchor);
    mkdirSync(rig.directory);
    await assert.rejects(createStore(rig.options()), { code: 'store-exists' });
  });

  it('leaves nothing behind when creation fails', async () => {
    const options = { ...rig.options(), directory: join(rig.root, 'other'), anchor: '/proc/no/anchor' };
    await assert.rejects(createStore(options), { code: 'store-unwritable' });
    assert.ok(!existsSync(options.directory));
  });

  it('is refused while this process or another has it open', async () => {
    const store = await rig.open();
    await assert.rejects(rig.open(), { code: 'store-locked' });
    await put(store, 'alice');
    const elsewhere = spawn(process.execPath, [
      join(import.meta.dirname, '../../../support/store-opener.js'),
      rig.root,
    ]);
    elsewhere.stdin.end('[]');
    let answer = '';
    elsewhere.stdout.on('data', (text) => {
      answer += text;
    });
    await once(elsewhere, 'close');
    assert.equal(JSON.parse(answer).code, 'store-locked', answer);
    await put(store, 'alice');
    await store.close();
    await (await rig.open()).close();
  });

  it('is refused with the wrong master key, before anything is written', async () => {
    const before = rig.fingerprint();
    rmSync(rig.key);
    createMasterKey(rig.key);
    await assert.rejects(rig.open(), {
      code: 'store-key',
      message: /another master key.*Nothing was changed/,
    });
    const key = readFileSync(rig.key, 'utf8').trim().split(' ').at(-1);
    const sameId = loadKeyringId(rig);
    writeFileSync(rig.key, `${sameId} ${key}\n`);
    await assert.rejects(rig.open(), { code: 'store-key' });
    assert.equal(rig.fingerprint(), before);
    chmodSync(rig.key, 0o644);
    assert.throws(() => loadKeyring({ path: rig.key }), { code: 'store-key', message: /others can use it/ });
  });

  it('is read with an older key listed after a new one', async () => {
    const store = await rig.open();
    await put(store, 'alice', 5);
    await store.close();
    const old = readFileSync(rig.key, 'utf8').split('\n')[1];
    rmSync(rig.key);
    createMasterKey(rig.key);
    writeFileSync(rig.key, `${readFileSync(rig.key, 'utf8')}${old}\n`);
    const again = await rig.open();
    await put(again, 'bob', 6);
    assert.ok((await again.account('alice')).value);
    await again.scrub();
    assert.deepEqual(again.health().scrub.findings, []);
    await again.close();
    await (await rig.open()).close();
  });

  it('keeps the anchor behind the disk, never ahead, and exact after a clean stop', async () => {
    const store = await rig.open();
    const { keyring } = rig.options();
    assert.equal(readAnchor(rig.anchor, keyring).clean, false);
    await put(store, 'alice');
    const behind = readAnchor(rig.anchor, keyring);
    assert.ok(behind.commit <= store.health().commit);
    await until(
      () => readAnchor(rig.anchor, keyring).commit === store.health().commit,
      20 * limits.anchorInterval,
    );
    await put(store, 'alice');
    const { commit } = store.health();
    await store.close();
    const { commit: exact, clean } = readAnchor(rig.anchor, keyring);
    assert.deepEqual([exact, clean], [commit, true]);
  });

  it('accepts no commit once its lock was removed, and says so', async () => {
    const store = await rig.open();
    await put(store, 'alice', 1);
    rmSync(`${rig.directory}.lock`);
    await until(() => store.health().state === 'unwritable', 20 * limits.reopenInterval);
    assert.match(store.health().reason ?? '', /lock.*another process may be writing/);
    await assert.rejects(put(store, 'alice', 2), { code: 'store-unwritable', message: /Restart sallyportd/ });
    assert.ok((await store.account('alice')).value);
    await store.close();
  });

  it('creates the reserve again when it is missing', async () => {
    rmSync(`${rig.directory}.reserve`);
    const store = await rig.open();
    await until(() => existsSync(`${rig.directory}.reserve`), 60_000);
    await store.close();
  });

  it('reads everything in the background, first after a while and then repeatedly', async () => {
    const store = await rig.open({ scrubDelay: 10, scrubInterval: 10, now: () => 42 });
    await put(store, 'alice');
    await until(() => store.health().scrub.lastFinished === 42 && store.health().scrub.read > 0, 60_000);
    await store.close();
  });
});

/** The id of the key that the store was created with, from its anchor. */
function loadKeyringId(rig: StoreRig): string {
  return readFileSync(rig.anchor).toString('latin1', 40, 72).replace(/\0+$/, '');
}
