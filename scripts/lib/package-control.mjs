import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesBelow } from './fresh.mjs';
import { root, say, stop } from './run.mjs';

const maintainer = () => {
  const { DEBFULLNAME: name = 'Sallyport maintainers', DEBEMAIL: address = 'maintainers@sallyport.invalid' } =
    process.env;
  return `${name} <${address}>`;
};

const scripts = ['preinst', 'postinst', 'prerm', 'postrm'];

/** Dependencies that no ELF file names: those of maintainer scripts, units and programs. */
const calledBy = [
  // postinst: users and directories.
  'systemd | systemd-standalone-sysusers',
  'systemd | systemd-standalone-tmpfiles',
  // prerm: pam-auth-update.
  'libpam-runtime (>= 1.1.3)',
];

/** Writes DEBIAN/ into the tree. */
export function controlFiles({ tree, work, version, arch }) {
  const control = join(tree, 'DEBIAN');
  const depends = [...sharedLibraries(tree, work), ...calledBy].join(', ');
  const files = filesBelow(tree, 'usr').concat(filesBelow(tree, 'etc'));
  const regular = files.filter((path) => lstatSync(join(tree, path)).isFile());
  const size = regular.reduce((sum, path) => sum + Math.ceil(lstatSync(join(tree, path)).size / 1024), 0);
  mkdirSync(control);
  const put = (name, text) => writeFileSync(join(control, name), text);
  put('control', controlText({ version, arch, depends, size }));
  put(
    'conffiles',
    filesBelow(tree, 'etc')
      .map((path) => `/${path}\n`)
      .join(''),
  );
  put(
    'md5sums',
    regular
      .filter((path) => path.startsWith('usr/'))
      .map(
        (path) =>
          `${createHash('md5')
            .update(readFileSync(join(tree, path)))
            .digest('hex')}  ${path}\n`,
      )
      .join(''),
  );
  for (const script of scripts) {
    const text = readFileSync(join(root, 'packaging', script), 'utf8');
    put(
      script,
      text.replaceAll(/@([A-Z]+)@/g, (_, name) => named(tree)[name].join(' ')),
    );
    chmodSync(join(control, script), 0o755);
  }
}

/** Needs a configuration first: the administrator starts it. */
const optional = /^sallyport-(portal|notify)\./;

/** Names used in the maintainer scripts, derived from the content of the package. */
function named(tree) {
  const below = (directory) => filesBelow(tree, directory).map((path) => path.slice(directory.length + 1));
  const directory = 'usr/lib/systemd/system';
  const units = below(directory)
    .filter((name) => /^\[Install\]$/m.test(readFileSync(join(tree, directory, name), 'utf8')))
    // control.sock before pam.sock, as sallyportd itself has it; services last.
    .sort((a, b) => Number(a.endsWith('.service')) - Number(b.endsWith('.service')) || (a < b ? -1 : 1));
  return {
    UNITS: units.filter((name) => !optional.test(name)),
    OPTIONAL: below(directory).filter((name) => optional.test(name)),
    SYSUSERS: below('usr/lib/sysusers.d'),
    TMPFILES: below('usr/lib/tmpfiles.d'),
  };
}

/**
 * nodejs without a version: with one, apt of Debian 12 would only say that something is not met. preinst says
 * what to do, and needs Node to ask for its version, hence Pre-Depends.
 */
function controlText({ version, arch, depends, size }) {
  return `Package: sallyport
Version: ${version}
Architecture: ${arch}
Maintainer: ${maintainer()}
Installed-Size: ${size}
Pre-Depends: nodejs
Depends: ${depends}
Suggests: openssh-server, sudo
Section: admin
Priority: optional
Description: second factor for Linux logins
 A PAM module for sshd, sudo, su and console logins that asks sallyportd, which
 decides by realm whether a second factor is needed and verifies TOTP, HOTP,
 YubiKey OTP, security keys and recovery keys.
 .
 All records are encrypted in a separate store. Every code works once, even
 after crashes; errors never skip a required factor; root keeps a console fallback.
 .
 Installing this enables nothing in PAM.
`;
}

/** What dpkg-shlibdeps finds for every ELF file. It requires a source package's control file beside it. */
function sharedLibraries(tree, work) {
  const debian = join(work, 'debian');
  mkdirSync(debian);
  writeFileSync(join(debian, 'control'), 'Source: sallyport\n\nPackage: sallyport\nArchitecture: any\n');
  const elf = filesBelow(tree, 'usr')
    .filter((path) => lstatSync(join(tree, path)).isFile())
    .filter((path) => readFileSync(join(tree, path)).subarray(0, 4).equals(Buffer.from('\x7fELF', 'latin1')));
  const { status, stdout, stderr } = spawnSync(
    'dpkg-shlibdeps',
    ['-O', ...elf.map((path) => `-e${join(tree, path)}`)],
    { cwd: work, encoding: 'utf8' },
  );
  const found = /^shlibs:Depends=(.+)$/m.exec(stdout ?? '')?.[1];
  if (status !== 0 || found === undefined) {
    say(stderr ?? '');
    stop('dpkg-shlibdeps (of dpkg-dev) does not know which libraries the native parts need');
  }
  return found.split(', ');
}

export function changelog(version) {
  const at = new Date(Number(process.env.SOURCE_DATE_EPOCH) * 1000).toUTCString().replace('GMT', '+0000');
  return `sallyport (${version}) unstable; urgency=medium

  * Built from the project's own repository, which has the history of changes.

 -- ${maintainer()}  ${at}
`;
}
