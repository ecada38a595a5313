import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadConfiguration } from '../../../daemon/config/in-force.ts';
import { createLog } from '../../../daemon/lib/log.ts';
import { createMasterKey, loadKeyring } from '../../../daemon/sealing/keyring.ts';

/** The encrypted copy of the last valid configuration, and a change of its master key. */
const root = mkdtempSync(join(tmpdir(), 'sallyport-last-good-'));
after(() => rmSync(root, { recursive: true }));

test('a copy that cannot be written prevents no start, but a rotation is told of it', () => {
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
