import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openLevel } from '../../../daemon/store/leveldb/leveldb.ts';
import { repaired } from '../../support/offline-work.ts';
import { run } from '../../support/rig/commands.ts';
import { put } from '../../support/store-records.ts';
import { StoreRig } from '../../support/store-rig.ts';

/** A full disk is not damage, and a missing store is not an empty one. */
const directory = mkdtempSync(join(tmpdir(), 'sallyport-disk-'));
after(() => rmSync(directory, { recursive: true }));

test('a restore and a repair lose nothing, however little space there is', async () => {
  const script = join(import.meta.dirname, '../../support/offline-full-disk.js');
  const mounted = 'mount -t tmpfs -o size=6m tmpfs "$3"; "$1" "$2" "$3"';
  const words = ['-m', '--propagation', 'private', 'bash', '-euc', mounted, 'bash', process.execPath, script];
  const { status, stdout, stderr } = await run('unshare', [...words, directory]);
  assert.equal(status, 0, stdout + stderr);
});

test('a store of which nothing is left is not repaired into an empty one', async () => {
  const rig = await StoreRig.create();
  try {
    const store = await rig.open();
    await put(store, 'someone');
    await store.close();
    rmSync(rig.directory, { recursive: true });
    const empty = await openLevel(rig.directory, true);
    await empty.close();
    await assert.rejects(repaired(rig), { code: 'store-damaged' });
    await assert.rejects(rig.open(), { code: 'store-damaged' });
  } finally {
    rig.remove();
  }
});
