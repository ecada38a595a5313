import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root, step } from './run.mjs';

/** The programs, each one script. What is not there yet is left out. */
const programs = ['daemon', 'cli', 'portal', 'notify'];

/** Debian's Node, and no other that an administrator's PATH may find first. */
const shebang = '#!/usr/bin/node\n';

/** What is a CommonJS module among the libraries calls `require`, which a module of ours does not have. */
const banner =
  "import { createRequire as createRequireOfLibraries } from 'node:module';\n" +
  'const require = createRequireOfLibraries(import.meta.url);';

const levelNative = 'classic_level.node';

/**
 * Invariants:
 * - a program is one file, read whole when it starts: while a package is replaced the daemon that still runs
 *   loads nothing of the new one. What is heavy is in it too, and runs when it is first used;
 * - it lies as deep as in a clone, so that what it looks for beside itself is where it looks;
 * - nothing is searched for: LevelDB's native part has one place.
 *
 * @param {string} directory where the programs' root is made
 * @returns {Promise<string[]>} the npm packages that are in them, sorted
 */
export async function bundlePrograms(directory, version) {
  const { build } = await import('esbuild');
  const packages = new Set(['classic-level', 'node-addon-api']);
  for (const program of programs.filter((name) => existsSync(join(root, name, 'main.ts')))) {
    const outfile = join(directory, 'dist', program, 'main.js');
    const { metafile } = await build({
      absWorkingDir: root,
      entryPoints: [`${program}/main.ts`],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20.19',
      charset: 'utf8',
      legalComments: 'none',
      logLevel: 'warning',
      metafile: true,
      banner: { js: banner },
      plugins: [oneNativeFile],
    });
    const text = readFileSync(outfile, 'utf8').replace(/^#!.*\n/, '');
    writeFileSync(outfile, `${shebang}${text}`);
    chmodSync(outfile, 0o755);
    for (const name of packagesAmong(Object.keys(metafile.inputs))) packages.add(name);
  }
  for (const name of packagesOfPages()) packages.add(name);
  cpSync(join(root, 'dist/portal/public'), join(directory, 'dist/portal/public'), { recursive: true });
  const manifest = { name: 'sallyport', version, private: true, type: 'module' };
  writeFileSync(join(directory, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  putNativeFiles(join(directory, 'build/Release'));
  return [...packages].sort();
}

const oneNativeFile = {
  name: 'one-native-file',
  setup({ onLoad, onResolve }) {
    onLoad({ filter: /\/classic-level\/binding\.js$/ }, () => ({
      contents: `module.exports = require('../../build/Release/${levelNative}')`,
    }));
    onResolve({ filter: /\.node$/ }, ({ path }) => ({ path, external: true }));
  },
};

function putNativeFiles(directory) {
  mkdirSync(directory, { recursive: true });
  const require = createRequire(import.meta.url);
  const level = require('node-gyp-build').path(join(root, 'node_modules/classic-level'));
  putNative(level, join(directory, levelNative), 0o644);
  putNative(join(root, 'build/Release/sallyport_addon.node'), join(directory, 'sallyport_addon.node'), 0o644);
}

/** Without the symbols that only a debugger reads. */
export function putNative(from, to, mode) {
  cpSync(from, to);
  step(`  ${to.slice(to.lastIndexOf('/') + 1)}`, 'strip', ['--strip-unneeded', to]);
  chmodSync(to, mode);
}

/** @param {string[]} inputs paths of source files */
export function packagesAmong(inputs) {
  const names = inputs.map((path) => /^.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
  return new Set(names.filter((name) => name !== undefined));
}

/** The pages were bundled before: what they import by name. */
function packagesOfPages() {
  const pages = join(root, 'node_modules/preact/package.json');
  return existsSync(pages) ? ['preact', '@simplewebauthn/browser'] : [];
}
