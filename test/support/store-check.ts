import { readFileSync } from 'node:fs';
import { Acknowledged } from './store-acknowledged.ts';
import { StoreRig } from './store-rig.ts';

/** `node store-check.js FOLDER ACKNOWLEDGED`: opens the store and looks whether all that was acknowledged is there. */
const [root = '', path = ''] = process.argv.slice(2);
const acknowledged = new Acknowledged();
acknowledged.read(readFileSync(path, 'utf8'));
const store = await StoreRig.at(root).open();
await acknowledged.check(store, Number.POSITIVE_INFINITY);
await store.close();
process.stdout.write(`${acknowledged.commits}\n`);
