import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './lib/build.mjs';
import { withPalette } from './lib/png.mjs';
import { root, say, stop } from './lib/run.mjs';

/** Writes docs/screenshots anew: each page of the portal, with what it shows on an ordinary day. */
build();
const { takeScreenshots } = await import(join(root, 'dist/test/support/portal-screenshots.js'));
const folder = join(root, 'docs/screenshots');
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
await takeScreenshots(folder);
for (const name of readdirSync(folder)) {
  const path = join(folder, name);
  writeFileSync(path, withPalette(readFileSync(path)));
}
const large = readdirSync(folder).filter((name) => statSync(join(folder, name)).size >= 60 * 1024);
for (const name of readdirSync(folder)) say(`  ${name} ${statSync(join(folder, name)).size}`);
if (large.length > 0) stop(`over 60 KB: ${large.join(', ')}`);
