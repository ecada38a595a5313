import assert from 'node:assert/strict';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { flipEveryBlock, flipEverywhere, flipUnread } from '../../support/store-damage.ts';
import { type Grown, grownStore } from '../../support/store-grown.ts';
import { put } from '../../support/store-records.ts';
import { StoreRig } from '../../support/store-rig.ts';

/** Each kind of damage: the store is refused, nothing is changed, and the message says so. */
async function refused(rig: StoreRig, code: string, message: RegExp): Promise<void> {
  const before = rig.fingerprint();
  await assert.rejects(rig.open(), (error: Error & { code?: string }) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.match(error.message, /[Nn]othing was changed/);
    return true;
  });
  assert.equal(rig.fingerprint(), before, 'the store was changed');
}

describe('a damaged store', () => {
  let clean: Grown;
  let crashed: Grown;
  before(async () => {
    clean = await grownStore('close');
    crashed = await grownStore('kill');
  });
  after(() => {
    clean.rig.remove();
    crashed.rig.remove();
  });

  async function withCopy(grown: Grown, test: (rig: StoreRig) => Promise<void>): Promise<void> {
    const rig = grown.rig.copy();
    try {
      await test(rig);
    } finally {
      rig.remove();
    }
  }

  it('opens when it is undamaged', async () => {
    for (const grown of [clean, crashed]) {
      await withCopy(grown, async (rig) => {
        const store = await rig.open();
        assert.equal(await grown.expected.check(store), 0);
        await store.scrub();
        assert.deepEqual(store.health().scrub.findings, []);
        await store.close();
      });
    }
  });

  it('is refused when CURRENT, the MANIFEST, a table or the log is missing', async () => {
    const losses: readonly [RegExp, RegExp][] = [
      [/^CURRENT$/, /CURRENT is gone/],
      [/^MANIFEST/, /names no MANIFEST/],
      [/\.ldb$/, /table \d+\.ldb is gone/],
      [/\.log$/, /log \d+ is gone/],
    ];
    for (const [file, message] of losses) {
      await withCopy(clean, async (rig) => {
        rmSync(rig.file(file));
        await refused(rig, 'store-damaged', message);
      });
    }
  });

  it('is refused, and not created again, when all of it is missing or the directory is empty', async () => {
    await withCopy(clean, async (rig) => {
      rmSync(rig.directory, { recursive: true });
      await assert.rejects(rig.open(), { code: 'store-missing', message: /sallyport init/ });
      assert.ok(!existsSync(rig.directory));
      mkdirSync(rig.directory);
      await assert.rejects(rig.open(), { code: 'store-missing', message: /is empty.*not mounted/ });
      assert.deepEqual(readdirSync(rig.directory), []);
    });
  });

  it('is refused when its log was truncated, anywhere', async () => {
    for (const grown of [clean, crashed]) {
      const { length } = readFileSync(grown.rig.file(/\.log$/));
      for (const size of [0, 3, 7, 100, Math.floor(length / 2), length - 1_000, length - 1]) {
        await withCopy(grown, async (rig) => {
          truncateSync(rig.file(/\.log$/), size);
          await refused(rig, 'store-anchor', /is at commit \d+, but it was at \d+/);
        });
      }
    }
  });

  it('is refused when its MANIFEST was truncated', async () => {
    await withCopy(clean, async (rig) => {
      const { length } = readFileSync(rig.file(/^MANIFEST/));
      truncateSync(rig.file(/^MANIFEST/), length - 3);
      await refused(rig, 'store-damaged', /is gone|says what it should hold/);
    });
  });

  it('is refused when an older copy was restored, whole, with or without its anchor', async () => {
    await withCopy(clean, async (rig) => {
      const older = rig.copy();
      const store = await rig.open();
      await put(store, 'user1', 99);
      await store.close();
      copyFileSync(rig.anchor, `${rig.anchor}.kept`);
      rmSync(rig.directory, { recursive: true });
      cpSync(older.directory, rig.directory, { recursive: true });
      await refused(rig, 'store-anchor', /the last \d+ changes are lost/);
      older.remove();
    });
  });

  it('is refused when an older anchor was restored after a clean stop', async () => {
    await withCopy(clean, async (rig) => {
      copyFileSync(rig.anchor, `${rig.anchor}.old`);
      const store = await rig.open();
      await put(store, 'user1', 99);
      await store.close();
      copyFileSync(`${rig.anchor}.old`, rig.anchor);
      await refused(rig, 'store-anchor', /an older anchor was put back/);
    });
  });

  it('is refused when its anchor is missing, damaged in both halves, or that of another store', async () => {
    await withCopy(clean, async (rig) => {
      const anchor = readFileSync(rig.anchor);
      for (const at of [9, 30, 60, 75, 90]) {
        const both = Buffer.from(anchor);
        both.writeUInt8(both.readUInt8(at) ^ 1, at);
        both.writeUInt8(both.readUInt8(4096 + at) ^ 1, 4096 + at);
        writeFileSync(rig.anchor, both);
        await refused(rig, at === 90 ? 'store-key' : 'store-anchor', /anchor/);
      }
      const other = await StoreRig.create();
      cpSync(other.key, rig.key);
      cpSync(other.anchor, rig.anchor);
      other.remove();
      await assert.rejects(rig.open(), (error: { code?: string }) =>
        ['store-anchor', 'store-key'].includes(error.code ?? ''),
      );
    });
  });

  it('opens with one half of the anchor, and still knows its newest commit', async () => {
    for (const half of [0, 4096]) {
      await withCopy(clean, async (rig) => {
        const anchor = readFileSync(rig.anchor);
        anchor.fill(0xff, half, half + 112);
        writeFileSync(rig.anchor, anchor);
        truncateSync(rig.file(/\.log$/), 0);
        await refused(rig, 'store-anchor', /is at commit/);
      });
    }
  });

  it('never loses an account or returns an older one, whichever bit is flipped', async () => {
    const seen = await flipEverywhere([clean, crashed], 15);
    assert.ok(seen.refused > 60, JSON.stringify(seen));
  });
});

describe('a store too large to be read completely at every start', () => {
  it('never loses an account or returns an older one, and does not start again after LevelDB ended the process', async () => {
    const grown = await grownStore('close', 300);
    try {
      assert.notEqual(await flipEveryBlock(grown), 'harmless');
      await flipUnread(grown, 10); // throws where one does harm
    } finally {
      grown.rig.remove();
    }
  });
});
