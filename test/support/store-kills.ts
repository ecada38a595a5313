import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Store } from '../../daemon/store/contract.ts';
import { Acknowledged } from './store-acknowledged.ts';
import { StoreRig } from './store-rig.ts';
import { until } from './until.ts';

/** Kills a process that writes, at random moments, and looks after each kill. @returns commits acknowledged */
export async function killWriters(rounds: number): Promise<number> {
  const rig = await StoreRig.create();
  const acknowledged = new Acknowledged();
  try {
    for (let round = 0; round < rounds; round += 1) {
      await killOne(rig, acknowledged);
      const store = await rig.open();
      try {
        await acknowledged.check(store, 1);
        await checkChain(store);
      } finally {
        await store.close();
      }
    }
    return acknowledged.commits;
  } finally {
    rig.remove();
  }
}

/** Whatever the kill cut off, what is left is one chain from the first event to the last. */
async function checkChain(store: Store): Promise<void> {
  const { first, last } = store.health().events;
  const { faults, findings, checked } = await store.checkTrail({ scan: Number.POSITIVE_INFINITY });
  assert.deepEqual({ faults, findings, checked }, { faults: 0, findings: [], checked: last - first + 1 });
}

async function killOne(rig: StoreRig, acknowledged: Acknowledged): Promise<void> {
  const writer = spawn(process.execPath, [join(import.meta.dirname, 'store-writer.js'), rig.root], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(writer, 'close');
  let text = '';
  writer.stdout.on('data', (bytes) => {
    text += bytes;
  });
  await until(() => text.startsWith('open\n') || writer.exitCode !== null, 60_000);
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 200));
  writer.kill('SIGKILL');
  await ended;
  if (writer.signalCode !== 'SIGKILL') throw new Error(`the writer ended by itself: ${writer.exitCode}`);
  acknowledged.read(text);
}
