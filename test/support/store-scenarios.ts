import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { limits } from '../../daemon/limits.ts';
import type { Store } from '../../daemon/store/contract.ts';
import { counterOf, eventOf, put, recordOf } from './store-records.ts';
import { StoreRig } from './store-rig.ts';
import { until } from './until.ts';

/**
 * What needs a file system of its own: `node store-scenarios.js NAME FOLDER`, with FOLDER on it, in a mount
 * namespace that the test made. Ends with 0 when all holds.
 */
const scenarios: Readonly<Record<string, (root: string) => Promise<void>>> = {
  'full-while-running': fullWhileRunning,
  'full-at-start': fullAtStart,
  'full-at-start-without-reserve': fullAtStartWithoutReserve,
  'read-only': readOnly,
  'failing-syncs': failingSyncs,
};

const ACCOUNT = 'alice';
async function fullWhileRunning(root: string): Promise<void> {
  const store = await (await StoreRig.create(root)).open();
  await put(store, ACCOUNT, 1);
  const acknowledged = await commitUntilRefused(store, () => fillDisk(root));
  assert.equal(store.health().state, 'unwritable');
  assert.match(store.health().reason ?? '', /space|full/i);

  await assert.rejects(put(store, ACCOUNT, 99), { code: 'store-unwritable' });
  await new Promise((resolve) => setTimeout(resolve, 2 * limits.reopenInterval));
  assert.ok((counterOf((await store.account(ACCOUNT)).value) ?? 0) >= acknowledged, 'reads go on');
  assert.equal((await store.accounts({ limit: 9 })).length, 1);

  rmSync(join(root, 'filler'));
  await until(() => store.health().state === 'ok', 30 * limits.reopenInterval);
  const counter = counterOf((await store.account(ACCOUNT)).value) ?? 0;
  assert.ok(counter === acknowledged || counter === acknowledged + 1, `${counter}, not ${acknowledged}`);
  await put(store, ACCOUNT, 500);
  await store.close();
  await holds(StoreRig.at(root), 500);
}

async function fullAtStart(root: string): Promise<void> {
  const rig = await leftOnFullDisk(root);
  assert.ok(statSync(`${rig.directory}.reserve`).size > 0);
  const store = await rig.open();
  assert.ok(!statSync(`${rig.directory}.reserve`, { throwIfNoEntry: false }), 'the reserve was given up');
  assert.ok(counterOf((await store.account(ACCOUNT)).value));
  await put(store, ACCOUNT, 500);
  rmSync(join(root, 'filler'));
  await store.close();
  await holds(rig, 500);
}

async function fullAtStartWithoutReserve(root: string): Promise<void> {
  const rig = await leftOnFullDisk(root);
  rmSync(`${rig.directory}.reserve`);
  fillDisk(root);
  await assert.rejects(rig.open(), { code: 'store-unwritable', message: /No space left.*make room/ });
  await assert.rejects(rig.open(), { code: 'store-unwritable' });
  rmSync(join(root, 'filler'));
  await holds(rig, undefined);
}

async function readOnly(root: string): Promise<void> {
  const rig = await StoreRig.create(root);
  const store = await rig.open();
  await put(store, ACCOUNT, 7);
  await store.close();
  const before = rig.fingerprint();
  for (const path of [root, rig.directory]) {
    execFileSync('mount', ['--bind', path, path]);
    execFileSync('mount', ['-o', 'remount,bind,ro', path]);
    await assert.rejects(rig.open(), { code: 'store-unwritable', message: /read-only|Read-only/ });
    execFileSync('umount', [path]);
    assert.equal(rig.fingerprint().length, before.length);
  }
  await holds(rig, 7);
}

/** The caller makes fdatasync fail from some call on, for some calls. */
async function failingSyncs(root: string): Promise<void> {
  const store = await (await StoreRig.create(root)).open();
  const acknowledged = await commitUntilRefused(store, () => {});
  assert.equal(store.health().state, 'unwritable');
  await until(async () => {
    assert.ok((await store.account(ACCOUNT)).value, 'reads go on');
    return store.health().state === 'ok';
  }, 30 * limits.reopenInterval);
  const counter = counterOf((await store.account(ACCOUNT)).value) ?? 0;
  assert.ok(counter === acknowledged || counter === acknowledged + 1, `${counter}, not ${acknowledged}`);
  await put(store, ACCOUNT, 500);
  await store.close();
  await holds(StoreRig.at(root), 500);
}

async function holds(rig: StoreRig, counter: number | undefined): Promise<void> {
  const store = await rig.open();
  const found = counterOf((await store.account(ACCOUNT)).value);
  assert.ok(counter === undefined ? found !== undefined : found === counter, `found ${found}`);
  await store.scrub();
  assert.deepEqual(store.health().scrub.findings, []);
  await store.close();
}

/** A store whose log is too large to be written anew on what is left of the disk. */
async function leftOnFullDisk(root: string): Promise<StoreRig> {
  const rig = await StoreRig.create(root);
  const store = await rig.open();
  for (let i = 1; i <= 60; i += 1) await put(store, ACCOUNT, i);
  await store.close();
  fillDisk(root);
  return rig;
}

/** Counts up, one commit after another. @returns the last one that was acknowledged */
async function commitUntilRefused(store: Store, afterFirst: () => void): Promise<number> {
  for (let counter = 1; ; counter += 1) {
    const { version } = await store.account(ACCOUNT);
    const commit = {
      accounts: [{ account: ACCOUNT, version, write: recordOf(ACCOUNT, counter) }],
      events: [eventOf(ACCOUNT)],
    };
    try {
      assert.equal(await store.commit(commit), 'committed');
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'store-unwritable', String(error));
      assert.match(String(error), /may have been stored/);
      return counter - 1;
    }
    if (counter === 1) afterFirst();
    assert.ok(counter < 10_000, 'never refused');
  }
}

function fillDisk(root: string): void {
  const fd = openSync(join(root, 'filler'), 'a');
  try {
    for (const size of [65_536, 4096, 1]) {
      const chunk = Buffer.alloc(size, 1);
      try {
        for (;;) writeSync(fd, chunk);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'ENOSPC');
      }
    }
  } finally {
    closeSync(fd);
  }
}

const [name = '', root = ''] = process.argv.slice(2);
const scenario = scenarios[name];
if (!scenario) throw new Error(`no scenario ${name}`);
await scenario(root);
