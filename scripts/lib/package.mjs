import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { bundlePrograms } from './package-bundle.mjs';
import { changelog, controlFiles } from './package-control.mjs';
import { copyrightFile } from './package-copyright.mjs';
import { putFiles } from './package-files.mjs';
import { root, say, step, stop } from './run.mjs';

/**
 * Makes the Debian package out of what was built.
 * @param {{ version: string | undefined, out: string }} options `out`: a directory, from the project's
 * @returns {Promise<string>} the path of the package
 */
export async function buildPackage({ version: asked, out }) {
  const version =
    asked ?? debianVersion(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version);
  const machine = machineOf();
  const directory = resolve(root, out);
  mkdirSync(directory, { recursive: true });
  const work = mkdtempSync(join(tmpdir(), 'sallyport-package-'));
  // The times in the package are the commit's, so that what is built twice is the same to the last byte.
  process.env.SOURCE_DATE_EPOCH ??= commitTime();
  process.umask(0o022);
  try {
    const tree = join(work, 'tree');
    mkdirSync(tree);
    say('bundling the programs …');
    const bundled = await bundlePrograms(join(tree, 'usr/lib/sallyport'), version);
    const put = putFiles(tree, machine.triplet);
    put.text('usr/share/doc/sallyport/copyright', copyrightFile(bundled));
    put.packed('usr/share/doc/sallyport/changelog.gz', changelog(version));
    controlFiles({ tree, work, version, arch: machine.arch });
    const file = join(directory, `sallyport_${version}_${machine.arch}.deb`);
    rmSync(file, { force: true });
    step('packing …', 'dpkg-deb', ['--root-owner-group', '--build', tree, file]);
    return file;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** What npm sorts before a version, a pre-release, Debian sorts before it behind a tilde. */
export function debianVersion(version) {
  return version.replace('-', '~').replaceAll('-', '.');
}

function machineOf() {
  const ask = (name) => {
    const { status, stdout } = spawnSync('dpkg-architecture', ['-q', name], { encoding: 'utf8' });
    if (status !== 0)
      stop(`dpkg-architecture does not know ${name}; the package is built on Debian, with dpkg-dev`);
    return stdout.trim();
  };
  return { arch: ask('DEB_HOST_ARCH'), triplet: ask('DEB_HOST_MULTIARCH') };
}

/** Seconds; without git, the beginning of 2026. */
function commitTime() {
  if (existsSync(join(root, '.git'))) {
    const git = ['-c', `safe.directory=${root.replace(/\/$/, '')}`, 'log', '-1', '--format=%ct'];
    const { status, stdout } = spawnSync('git', git, { cwd: root, encoding: 'utf8' });
    if (status === 0 && /^\d+\n$/.test(stdout)) return stdout.trim();
  }
  return '1767225600';
}
