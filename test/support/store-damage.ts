import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Grown } from './store-grown.ts';
import type { StoreRig } from './store-rig.ts';

/** What became of a store with one changed bit: nothing else may. */
export type FlipOutcome =
  /** Not opened, and nothing was changed. */
  | 'refused'
  /** Opened; one account or more is refused. */
  | 'accountRefused'
  /** Opened; all data is right. */
  | 'harmless'
  /** LevelDB ended the process; the start after that is refused. */
  | 'ended';

export type FlipCount = Record<FlipOutcome, number>;

/** Flips one bit at a time, about `each` of them in every kind of file. */
export async function flipEverywhere(stores: readonly Grown[], each: number): Promise<FlipCount> {
  const count = nothing();
  for (const grown of stores) {
    for (const kind of [/^CURRENT$/, /^MANIFEST-/, /\.log$/, /\.ldb$/]) {
      const names = readdirSync(grown.rig.directory).filter((name) => kind.test(name));
      for (const name of names) {
        for (let flip = 0; flip < Math.ceil(each / names.length); flip += 1) {
          count[await withFlip(grown, name, (rig) => openHere(grown, rig))] += 1;
        }
      }
    }
  }
  return count;
}

/** Flips a bit in every block of every table at once: accounts live there, whatever chance wrote where. */
export async function flipEveryBlock(grown: Grown): Promise<FlipOutcome> {
  const rig = grown.rig.copy();
  try {
    for (const name of readdirSync(rig.directory).filter((file) => file.endsWith('.ldb'))) {
      const bytes = readFileSync(join(rig.directory, name));
      for (let at = TABLE_BLOCK / 2; at < bytes.length; at += TABLE_BLOCK / 2) {
        bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      }
      writeFileSync(join(rig.directory, name), bytes);
    }
    return await openElsewhere(grown, rig);
  } finally {
    rig.remove();
  }
}

/** LevelDB's, in bytes; compression makes them smaller, never larger than one record more. */
const TABLE_BLOCK = 4096;

/** Flips bits of tables that are not read in full before the store is opened. */
export async function flipUnread(grown: Grown, flips: number): Promise<FlipCount> {
  const count = nothing();
  const tables = readdirSync(grown.rig.directory).filter((name) => name.endsWith('.ldb'));
  for (let flip = 0; flip < flips; flip += 1) {
    const table = tables[flip % tables.length] ?? '';
    count[await withFlip(grown, table, (rig) => openElsewhere(grown, rig))] += 1;
  }
  return count;
}

function nothing(): FlipCount {
  return { refused: 0, accountRefused: 0, harmless: 0, ended: 0 };
}

async function withFlip(
  grown: Grown,
  name: string,
  look: (rig: StoreRig) => Promise<FlipOutcome>,
): Promise<FlipOutcome> {
  const rig = grown.rig.copy();
  const path = join(rig.directory, name);
  const bytes = readFileSync(path);
  const at = Math.floor(Math.random() * bytes.length);
  const bit = Math.floor(Math.random() * 8);
  bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at);
  writeFileSync(path, bytes);
  try {
    return await look(rig);
  } catch (error) {
    throw new Error(`bit ${bit} of byte ${at} of ${bytes.length} in ${name}: ${String(error)}`, {
      cause: error,
    });
  } finally {
    rig.remove();
  }
}

async function openHere(grown: Grown, rig: StoreRig): Promise<FlipOutcome> {
  const before = rig.fingerprint();
  const store = await rig.open().catch((error: Error & { code?: string }) => {
    refusedRightly(error.code ?? '', error.message);
  });
  if (!store) {
    assert.equal(rig.fingerprint(), before, 'refused, but changed');
    return 'refused';
  }
  try {
    return (await grown.expected.check(store, true)) > 0 ? 'accountRefused' : 'harmless';
  } finally {
    await store.close();
  }
}

/** In a process of its own, which LevelDB may end. */
async function openElsewhere(grown: Grown, rig: StoreRig): Promise<FlipOutcome> {
  const before = rig.fingerprint();
  const child = spawnSync(process.execPath, [join(import.meta.dirname, 'store-opener.js'), rig.root], {
    input: String(grown.expected),
    encoding: 'utf8',
  });
  if (child.signal === 'SIGABRT') {
    await assert.rejects(rig.open({ checkBytes: 0 }), { code: 'store-damaged' });
    return 'ended';
  }
  assert.equal(child.status, 0, child.stderr);
  const answer: { refused?: number; code?: string; message?: string } = JSON.parse(child.stdout);
  if (answer.code === undefined) return (answer.refused ?? 0) > 0 ? 'accountRefused' : 'harmless';
  refusedRightly(answer.code, answer.message ?? '');
  assert.equal(rig.fingerprint(), before, 'refused, but changed');
  return 'refused';
}

const REFUSALS = ['store-damaged', 'store-anchor', 'store-schema', 'store-key'];

function refusedRightly(code: string, message: string): void {
  assert.ok(REFUSALS.includes(code), `${code}: ${message}`);
  assert.match(message, /[Nn]othing was changed/);
}
