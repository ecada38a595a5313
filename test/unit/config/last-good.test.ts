import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadConfiguration } from '../../../daemon/config/in-force.ts';
import { createLog } from '../../../daemon/lib/log.ts';
import { createMasterKey, loadKeyring } from '../../../daemon/sealing/keyring.ts';

/** The sealed copy of the last good configuration, and a change of the key that seals it. */
const root = mkdtempSync(join(tmpdir(), 'sallyport-last-good-'));
after(() => rmSync(root, { recursive: true }));

test('a copy that cannot be written stops no start, but whoever has to seal it anew hears of it', () => {
  const key = join(root, 'master.key');
  const file = join(root, 'sallyport.toml');
  createMasterKey(key);
  const nowhere = join(root, 'missing', 'last-good');
  const paths = `[paths]\nmaster_key = "${key}"\nlast_good = "${nowhere}"\n`;
  writeFileSync(file, `${paths}[[realm]]\nname = "all"\nrequire = "none"\n`);
  const lines: string[] = [];
  const { configuration } = loadConfiguration(
    { file, host: 'host', now: Date.now, log: createLog((line) => void lines.push(line), false) },
    (path) => loadKeyring({ path }),
  );
  assert.match(lines.join('\n'), /last-good-not-written/);
  configuration.reload();
  assert.throws(() => configuration.keep(), /ENOENT/);
});
