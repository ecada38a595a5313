import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from './rig/commands.ts';

/** What Debian's own mirror has; another one where the machine is told of it. */
const mirror = process.env.SALLYPORT_TEST_MIRROR ?? 'http://deb.debian.org/debian';

/** A machine with a service manager, logins over ssh, and what the package depends on. */
const included = [
  ...['systemd-sysv', 'dbus', 'udev', 'util-linux', 'login', 'libpam-runtime', 'passwd'],
  ...['openssh-server', 'openssh-client', 'sudo', 'expect', 'nodejs', 'libfido2-1'],
];

/** Fetches and unpacks a Debian; takes some 20 seconds. */
export function makeDebianRoot(suite: 'bookworm' | 'trixie', folder: string): void {
  must('mmdebstrap', [
    '--variant=minbase',
    '--quiet',
    `--include=${included.join(',')}`,
    suite,
    folder,
    mirror,
  ]);
}

/**
 * The Node that runs this test as a Debian package that a machine may have from elsewhere.
 * @returns the path of the package
 */
export function packNode(folder: string): string {
  const tree = join(folder, 'nodejs');
  mkdirSync(join(tree, 'usr/bin'), { recursive: true });
  mkdirSync(join(tree, 'DEBIAN'));
  copyFileSync(process.execPath, join(tree, 'usr/bin/node'));
  chmodSync(join(tree, 'usr/bin/node'), 0o755);
  const arch = must('dpkg', ['--print-architecture']).trim();
  writeFileSync(
    join(tree, 'DEBIAN/control'),
    `Package: nodejs
Version: ${process.versions.node}-1elsewhere1
Architecture: ${arch}
Maintainer: The tests <tests@sallyport.invalid>
Depends: libc6
Description: a newer Node
`,
  );
  const file = join(folder, 'nodejs.deb');
  must('dpkg-deb', ['--root-owner-group', '-Znone', '--build', tree, file]);
  rmSync(tree, { recursive: true });
  return file;
}
