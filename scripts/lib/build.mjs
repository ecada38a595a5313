import { chmodSync, existsSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { filesBelow, fingerprint, isFresh, markFresh } from './fresh.mjs';
import { buildPages, pagesDirectory } from './pages.mjs';
import { root, step } from './run.mjs';

const typescriptStamp = 'dist/.built';
const nativeStamp = 'build/.built';
const programs = ['dist/daemon/main.js', 'dist/cli/main.js', 'dist/portal/main.js', 'dist/notify/main.js'];
const nativeOutputs = [
  'build/Release/pam_sallyport.so',
  'build/Release/sallyport_addon.node',
  'build/Release/sallyport-fido',
  'build/Release/sallyport-password',
];

/** Compiles what changed since the last time, and nothing else. */
export function build() {
  buildNative();
  buildTypeScript();
  buildPages();
}

function buildTypeScript() {
  const sources = ['daemon', 'cli', 'man', 'portal', 'notify', 'bench', 'test'].flatMap((top) =>
    filesBelow(root, top),
  );
  const typescript = sources.filter((path) => path.endsWith('.ts') && !path.startsWith('portal/pages/'));
  const print = fingerprint(root, [...typescript, 'tsconfig.json', 'package-lock.json']);
  if (isFresh(root, typescriptStamp, print, programs)) return;
  step('compiling TypeScript …', join(root, 'node_modules/.bin/tsc'), []);
  removeOrphans(new Set(typescript));
  for (const program of programs) chmodSync(join(root, program), 0o755);
  markFresh(root, typescriptStamp, print);
}

/** A test whose source is gone must not run on. */
function removeOrphans(sources) {
  for (const output of filesBelow(root, 'dist')) {
    // The pages are bundled, not compiled.
    if (output.startsWith(`${pagesDirectory}/`)) continue;
    const source = output.replace(/^dist\//, '').replace(/\.js(\.map)?$/, '.ts');
    if (/\.js(\.map)?$/.test(output) && !sources.has(source)) rmSync(join(root, output));
  }
}

function buildNative() {
  const sources = [...filesBelow(root, 'native'), 'binding.gyp', 'package-lock.json'];
  const print = fingerprint(root, sources, `${process.versions.modules} ${process.arch}`);
  if (isFresh(root, nativeStamp, print, nativeOutputs)) return;
  const headers = ownHeaders();
  const where = headers === undefined ? [] : [`--nodedir=${headers}`];
  step('compiling the native parts …', join(root, 'node_modules/.bin/node-gyp'), [
    'configure',
    'build',
    ...where,
  ]);
  markFresh(root, nativeStamp, print);
}

/**
 * Where the headers of this very Node lie, if they came with it, so that none are downloaded: Debian's
 * nodejs, the official tarball and version managers all have them next to the program.
 */
function ownHeaders() {
  if (process.env.npm_config_nodedir !== undefined) return undefined;
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  const header = join(prefix, 'include/node/node_version.h');
  if (!existsSync(header)) return undefined;
  const major = /#define NODE_MAJOR_VERSION (\d+)/.exec(readFileSync(header, 'utf8'))?.[1];
  return major === process.versions.node.split('.')[0] ? prefix : undefined;
}
