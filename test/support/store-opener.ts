import { readFileSync } from 'node:fs';
import { SallyportError } from '../../daemon/lib/errors.ts';
import { Expected } from './store-expected.ts';
import { StoreRig } from './store-rig.ts';

/**
 * Opens a store without reading its tables in full, in a process of its own, which LevelDB may end; says on
 * stdout how many of the accounts, expected on stdin, are refused, or why the store is.
 */
const expected = Expected.parse(readFileSync(0, 'utf8'));
try {
  const store = await StoreRig.at(process.argv[2] ?? '').open({ checkBytes: 0 });
  const refused = await expected.check(store, true);
  await store.close();
  process.stdout.write(JSON.stringify({ refused }));
} catch (error) {
  if (!(error instanceof SallyportError)) throw error;
  process.stdout.write(JSON.stringify({ code: error.code, message: error.message }));
}
