import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { manualPages } from './pages.ts';
import { nowhere } from './world.ts';

/**
 * node dist/man/main.js DIRECTORY: writes the manual pages from --help and docs/.
 * Their date is SOURCE_DATE_EPOCH (reproducible-builds.org), or when the program was built.
 */
const directory = process.argv[2];
if (directory === undefined) {
  process.stderr.write('usage: node dist/man/main.js DIRECTORY\n');
  process.exit(2);
}
const root = join(import.meta.dirname, '../..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const epoch = process.env.SOURCE_DATE_EPOCH;
const day = epoch === undefined ? statSync(import.meta.filename).mtime : new Date(Number(epoch) * 1000);
const date = day.toLocaleDateString('en-US', { dateStyle: 'long', timeZone: 'UTC' });
const world = nowhere(String(version));
mkdirSync(directory, { recursive: true });
for (const [name, page] of manualPages(root, world, date)) writeFileSync(join(directory, name), `${page}\n`);
