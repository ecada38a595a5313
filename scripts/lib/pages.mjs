import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { filesBelow, fingerprint, isFresh, markFresh } from './fresh.mjs';
import { root, say, step } from './run.mjs';

/** What the portal serves; it contains nothing else. */
export const pagesDirectory = 'dist/portal/public';
/** All pages together, compressed. */
export const pagesLimit = 60 * 1024;

const stamp = 'dist/.built-pages';
const index = `${pagesDirectory}/index.html`;

/** Bundles the portal's pages, when they or what they are made with changed. */
export function buildPages() {
  const sources = [...filesBelow(root, 'portal'), 'package-lock.json', 'scripts/lib/pages.mjs'];
  const print = fingerprint(root, sources);
  if (isFresh(root, stamp, print, [index])) return;
  rmSync(join(root, pagesDirectory), { recursive: true, force: true });
  step("bundling the portal's pages …", join(root, 'node_modules/.bin/esbuild'), [
    'portal/pages/main.tsx',
    'portal/pages/style/main.css',
    'portal/pages/icon.svg',
    '--bundle',
    '--minify',
    '--format=esm',
    '--target=es2022,chrome109,firefox115,safari16.4',
    '--jsx=automatic',
    '--jsx-import-source=preact',
    '--loader:.svg=copy',
    '--charset=utf8',
    '--legal-comments=none',
    '--entry-names=assets/[name]-[hash]',
    '--outbase=portal/pages',
    `--outdir=${pagesDirectory}`,
    '--log-level=warning',
  ]);
  const assets = filesBelow(root, pagesDirectory).map((path) => path.slice(pagesDirectory.length));
  writeFileSync(join(root, index), document(assets));
  const sizes = compressedSizes();
  const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
  say(`  ${sizes.map(({ name, bytes }) => `${name} ${bytes}`).join(', ')}: ${total} bytes compressed`);
  markFresh(root, stamp, print);
}

/** Of each file that a browser may load, as it travels. */
export function compressedSizes() {
  return filesBelow(root, pagesDirectory).map((path) => ({
    name: basename(path),
    bytes: gzipSync(readFileSync(join(root, path)), { level: 9 }).length,
  }));
}

/** The one document: its names change with what is in the files, so that those can be kept for ever. */
function document(assets) {
  const [script, style, icon] = ['.js', '.css', '.svg'].map((end) =>
    assets.find((path) => path.endsWith(end)),
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>Sallyport</title>
<link rel="icon" type="image/svg+xml" href="${icon}">
<link rel="stylesheet" href="${style}">
<script type="module" src="${script}"></script>
</head>
<body>
<div id="page"></div>
<noscript><p class="without-script">These pages need JavaScript: security keys can be asked in no other way.</p></noscript>
</body>
</html>
`;
}
