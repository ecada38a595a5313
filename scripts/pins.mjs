import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pinFaults } from './lib/pins.mjs';
import { root, stop } from './lib/run.mjs';

const read = (name) => JSON.parse(readFileSync(join(root, name), 'utf8'));
const faults = pinFaults(read('package.json'), read('package-lock.json'));
if (faults.length > 0) stop(faults.join('\n'));
