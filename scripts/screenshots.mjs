import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './lib/build.mjs';
import { withPalette } from './lib/png.mjs';
import { root, say, stop } from './lib/run.mjs';

/** Renews docs/screenshots: each page of the portal, with typical content. */
build();
const { takeScreenshots } = await import(join(root, 'dist/test/support/portal-screenshots.js'));
const directory = join(root, 'docs/screenshots');
rmSync(directory, { recursive: true, force: true });
mkdirSync(directory, { recursive: true });
await takeScreenshots(directory);
for (const name of readdirSync(directory)) {
  const path = join(directory, name);
  writeFileSync(path, withPalette(readFileSync(path)));
}
const large = readdirSync(directory).filter((name) => statSync(join(directory, name)).size >= 60 * 1024);
for (const name of readdirSync(directory)) say(`  ${name} ${statSync(join(directory, name)).size}`);
if (large.length > 0) stop(`over 60 KB: ${large.join(', ')}`);
