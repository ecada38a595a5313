import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Keyring, loadKeyring } from '../../daemon/sealing/keyring.ts';

/** A keyring of these ids, the first one current; the same id always stands for the same key. */
export function keyringOf(...ids: readonly string[]): Keyring {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-key-'));
  const path = join(directory, 'master.key');
  const lines = ids.map((id) => `${id} ${Buffer.alloc(32, id).toString('base64')}\n`);
  writeFileSync(path, lines.join(''), { mode: 0o600 });
  try {
    return loadKeyring({ path });
  } finally {
    rmSync(directory, { recursive: true });
  }
}
