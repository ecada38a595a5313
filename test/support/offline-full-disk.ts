import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { backupBytes, repaired, restored } from './offline-work.ts';
import { put } from './store-records.ts';
import { StoreRig } from './store-rig.ts';

/**
 * Restores and repairs on a small disk with more and more room, until it is enough: whatever there is, nothing is
 * lost. The argument is an empty file system.
 */
const directory = process.argv[2] ?? '';
const step = 50 * 1024;
const people = 120;

for (const what of ['restore', 'repair'] as const) {
  let isDone = false;
  for (let room = 0; !isDone; room += step) isDone = await attempt(what, room);
}

async function attempt(what: 'restore' | 'repair', room: number): Promise<boolean> {
  const root = join(directory, `${what}-${room}`);
  mkdirSync(root);
  const rig = await StoreRig.create(root);
  const store = await rig.open({ reserveBytes: 0 });
  await Promise.all(Array.from({ length: people - 1 }, (_, index) => put(store, `user${index}`)));
  const backup = await backupBytes(rig, store);
  await put(store, 'after');
  await store.close();
  if (what === 'repair') rmSync(rig.anchor);
  const { bavail, bsize } = statfsSync(directory);
  const filler = join(directory, 'filler');
  writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - room)));
  const isDone = await (what === 'restore' ? restored(rig, backup) : repaired(rig)).then(
    () => true,
    (error: unknown) => {
      assert.match(String(error), /[Nn]o (room|space left)/, `${what} with ${room} bytes`);
      return false;
    },
  );
  rmSync(filler);
  const leftovers = readdirSync(root).filter((name) => /making|\.new$/.test(name));
  assert.deepEqual(leftovers, []);
  if (!isDone && what === 'repair') {
    const { done } = await repaired(rig);
    assert.equal(done.accounts, people, 'once there is room');
  }
  const opened = await rig.open({ reserveBytes: 0 });
  assert.equal((await opened.accounts({ limit: 200 })).length, people, `${what} with ${room} bytes`);
  await opened.close();
  rig.remove();
  return isDone;
}
