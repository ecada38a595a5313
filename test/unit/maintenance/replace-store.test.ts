import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { loadAddon } from '../../../daemon/host/addon.ts';
import {
  replacedStores,
  replaceStore,
  usableAnchor,
  workDirectory,
} from '../../../daemon/maintenance/replace-store.ts';
import { StoreBuilder } from '../../../daemon/maintenance/store-builder.ts';
import { createSealer } from '../../../daemon/sealing/seal.ts';
import { emptyRecord } from '../../../daemon/store/contract.ts';
import { StoreRig } from '../../support/store-rig.ts';

/** Replacement of a store, interrupted at each step: what is left must open. */
let rig: StoreRig;
const now = 1_700_000_000_000;

beforeEach(async () => {
  rig = await StoreRig.create();
  const store = await rig.open();
  await store.commit({
    accounts: [{ account: 'old', version: 0, write: emptyRecord('old', now) }],
    events: [],
  });
  await store.close();
});
afterEach(() => rig.remove());

async function fresh(): Promise<{ directory: string; storeId: string; commit: number }> {
  const { keyring } = rig.options();
  const anchor = usableAnchor(rig.anchor, keyring);
  const commit = 10;
  const directory = workDirectory(rig.directory);
  mkdirSync(directory);
  const into = await StoreBuilder.begin(join(directory, 'new'), createSealer(keyring), commit);
  await into.account(emptyRecord('new', now));
  const said = { kind: 'store', outcome: 'done', at: now, account: '', reason: 'made' } as const;
  const storeId = anchor?.storeId ?? 'ab'.repeat(16);
  await into.finish(storeId, said, 'restored');
  return { directory: join(directory, 'new'), storeId, commit };
}

async function swap(exchange: (a: string, b: string) => void): Promise<string | undefined> {
  const { keyring } = rig.options();
  const made = await fresh();
  return replaceStore({
    store: rig.directory,
    anchor: rig.anchor,
    keyring,
    exchange,
    oldAnchor: usableAnchor(rig.anchor, keyring),
    fresh: made,
    now,
  });
}

async function accounts(): Promise<readonly string[]> {
  const store = await rig.open();
  try {
    return (await store.accounts({ limit: 10 })).map(({ account }) => account);
  } finally {
    await store.close();
  }
}

test('complete: the new one opens, repeatedly, and the old one is kept', async () => {
  const aside = await swap(loadAddon().exchange);
  assert.ok(aside !== undefined && existsSync(aside));
  assert.deepEqual(replacedStores(rig.directory), [aside]);
  for (let time = 0; time < 2; time += 1) assert.deepEqual(await accounts(), ['new']);
});

test('interrupted before the exchange: the old one opens', async () => {
  await assert.rejects(
    swap(() => {
      throw new Error('killed');
    }),
    { code: 'store-unwritable' },
  );
  assert.deepEqual(await accounts(), ['old']);
});

test('interrupted right after it, with the former anchor: the new one opens', async () => {
  await assert.rejects(
    swap((a, b) => {
      loadAddon().exchange(a, b);
      throw new Error('killed');
    }),
    { code: 'store-unwritable' },
  );
  assert.deepEqual(await accounts(), ['new']);
});

test('if the file system cannot exchange names it takes two steps', async () => {
  await swap(() => {
    throw Object.assign(new Error('not here'), { code: 'EINVAL' });
  });
  assert.deepEqual(await accounts(), ['new']);
});

test('without a former store the new one is moved to the empty path', async () => {
  rmSync(rig.directory, { recursive: true });
  assert.equal(await swap(loadAddon().exchange), undefined);
  assert.deepEqual(await accounts(), ['new']);
});

test('leftovers of a killed run are removed, and kept stores are not', async () => {
  await swap(loadAddon().exchange);
  await fresh();
  workDirectory(rig.directory);
  const names = readdirSync(rig.root);
  assert.ok(!names.some((name) => name.includes('.making-')), names.join());
  assert.equal(replacedStores(rig.directory).length, 1);
});

test('the old store restored with the new anchor is rejected', async () => {
  const aside = await swap(loadAddon().exchange);
  assert.deepEqual(await accounts(), ['new']);
  loadAddon().exchange(rig.directory, aside ?? '');
  await assert.rejects(rig.open(), { code: 'store-anchor' });
});
