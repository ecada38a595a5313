import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { filesBelow } from './fresh.mjs';
import { putNative } from './package-bundle.mjs';
import { installedPages } from './package-pages.mjs';
import { root, stop } from './run.mjs';

const documentation = 'usr/share/doc/sallyport';

/** Where each kind of file of pam-config/ is read by others. The rest lies where commands look for it. */
const homes = {
  systemd: 'usr/lib/systemd/system',
  'sysusers.d': 'usr/lib/sysusers.d',
  'tmpfiles.d': 'usr/lib/tmpfiles.d',
  udev: 'usr/lib/udev/rules.d',
  'pam-configs': 'usr/share/pam-configs',
  // A file of that name has to be asked about first: nothing of the system's is meant to be replaced.
  fail2ban: `${documentation}/fail2ban`,
};

/** Where a file of the project is installed. */
function homeOf(path) {
  const [top, kind = '', ...rest] = path.split('/');
  // Debian keeps all licences of a package in one file.
  if (path === 'LICENSE') return `${documentation}/copyright`;
  if (top !== 'pam-config') return `${documentation}/${path}`;
  const home = homes[kind];
  return home === undefined ? `usr/lib/sallyport/${path}` : [home, ...rest].join('/');
}

const completionHomes = {
  bash: 'usr/share/bash-completion/completions/sallyport',
  zsh: 'usr/share/zsh/vendor-completions/_sallyport',
  fish: 'usr/share/fish/vendor_completions.d/sallyport.fish',
};

/**
 * Puts into the tree all that is no bundled program.
 * Invariants: nothing in it is set-id or writable for others, and the one file below /etc is the service that
 * passwords are asked through, which nothing includes.
 * @returns how to put the generated files in
 */
export function putFiles(tree, triplet) {
  const text = (path, contents, mode = 0o644) => {
    mkdirSync(join(tree, dirname(path)), { recursive: true });
    writeFileSync(join(tree, path), contents);
    chmodSync(join(tree, path), mode);
  };
  const copy = (from, to) => text(to, readFileSync(join(root, from)));
  // Without name and time, so that the same text gives the same bytes.
  const packed = (path, contents) => text(path, gzipSync(contents, { level: 9 }));
  const native = (name, to, mode) => {
    mkdirSync(join(tree, dirname(to)), { recursive: true });
    putNative(join(root, 'build/Release', name), join(tree, to), mode);
  };
  const link = (path, target) => {
    mkdirSync(join(tree, dirname(path)), { recursive: true });
    symlinkSync(target, join(tree, path));
  };

  native('pam_sallyport.so', `usr/lib/${triplet}/security/pam_sallyport.so`, 0o644);
  for (const helper of ['sallyport-fido', 'sallyport-password']) {
    native(helper, `usr/libexec/sallyport/${helper}`, 0o755);
    // Where a build has it: "init --root" writes its place down.
    link(`usr/lib/sallyport/build/Release/${helper}`, `../../../../libexec/sallyport/${helper}`);
  }
  link('usr/bin/sallyport', '../lib/sallyport/dist/cli/main.js');
  link('usr/sbin/sallyportd', '../lib/sallyport/dist/daemon/main.js');
  link('usr/sbin/sallyport-portal', '../lib/sallyport/dist/portal/main.js');

  for (const path of filesBelow(root, 'pam-config').filter((path) => !path.endsWith('.md')))
    copy(path, homeOf(path));
  copy('pam-config/pam.d/sallyport-password', 'etc/pam.d/sallyport-password');

  for (const { path, contents } of installedPages(homeOf)) text(path, contents);

  const pages = mkdtempSync(join(tmpdir(), 'sallyport-manual-'));
  try {
    output('dist/man/main.js', pages);
    for (const name of readdirSync(pages))
      packed(`usr/share/man/man${name.at(-1)}/${name}.gz`, readFileSync(join(pages, name)));
  } finally {
    rmSync(pages, { recursive: true });
  }
  for (const [shell, path] of Object.entries(completionHomes))
    text(path, output('dist/cli/main.js', 'completion', shell));
  return { text, packed };
}

/** What a program of this build writes. */
function output(...argv) {
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, { cwd: root, encoding: 'utf8' });
  if (status !== 0) stop(`failed: node ${argv.join(' ')}\n${stderr}`);
  return stdout;
}
