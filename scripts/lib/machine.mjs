import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';

/**
 * What the tests need of the machine. Without it they would wait in vain and not name the cause, so it is
 * checked first. `complaintsOf` is pure; `lookAtMachine` reads the machine.
 */
const devices = [
  ['/dev/null', 1, 3],
  ['/dev/zero', 1, 5],
  ['/dev/full', 1, 7],
  ['/dev/random', 1, 8],
  ['/dev/urandom', 1, 9],
  ['/dev/tty', 5, 0],
  ['/dev/ptmx', 5, 2],
];
const directories = ['/tmp', '/var/tmp', '/dev/shm'];
const mounts = [
  ['/proc/self/status', 'mount -t proc proc /proc'],
  ['/dev/pts/ptmx', 'mkdir -p /dev/pts && mount -t devpts -o ptmxmode=666,mode=620,gid=5 devpts /dev/pts'],
];

/**
 * @typedef {{ kind: 'device' | 'directory' | 'other', mode: number, major: number, minor: number, writable: boolean }} Seen
 * @param {{ files: Readonly<Record<string, Seen | undefined>>, namespaces: string | undefined }} machine
 *   `namespaces`: why none can be made; undefined: they can
 * @returns {{ what: string, command?: string }[]}
 */
export function complaintsOf({ files, namespaces }) {
  const complaints = [];
  const complain = (what, command) =>
    complaints.push({ what, ...(command === undefined ? {} : { command }) });
  for (const [path, command] of mounts)
    if (files[path] === undefined) complain(`${path} is missing`, command);
  for (const [path, major, minor] of devices) {
    const seen = files[path];
    const device = `character device ${major}:${minor}`;
    const again = `rm -f ${path} && mknod -m 666 ${path} c ${major} ${minor}`;
    if (seen === undefined) complain(`${path} is missing`, again);
    else if (seen.kind !== 'device' || seen.major !== major || seen.minor !== minor)
      complain(`${path} is not the ${device}`, again);
    else if ((seen.mode & 0o666) !== 0o666)
      complain(
        `${path} has mode ${octal(seen.mode)}, so that not all accounts can use it`,
        `chmod 666 ${path}`,
      );
  }
  for (const path of directories) {
    const seen = files[path];
    if (seen?.kind !== 'directory') complain(`${path} is not a directory`, `mkdir -m 1777 ${path}`);
    else if ((seen.mode & 0o1777) !== 0o1777)
      complain(`${path} has mode ${octal(seen.mode)}, not 1777`, `chmod 1777 ${path}`);
    else if (!seen.writable) complain(`${path} cannot be written`, `mount -o remount,rw ${path}`);
  }
  if (namespaces !== undefined)
    complain(
      `no namespaces can be made (${namespaces}): run the tests on a separate machine, or in a privileged container (--privileged)`,
    );
  return complaints;
}

/** @param {readonly { what: string, command?: string }[]} complaints */
export function complaintText(complaints) {
  const lines = complaints.map(({ what, command }) =>
    command === undefined ? `  ${what}` : `  ${what}; put it right with:\n    ${command}`,
  );
  return `the tests need of this machine what is not as it should be:\n${lines.join('\n')}`;
}

function octal(mode) {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}

export function lookAtMachine() {
  const paths = [...mounts, ...devices].map(([path]) => path).concat(directories);
  const files = Object.fromEntries(paths.map((path) => [path, seenAt(path)]));
  const argv = [
    '--mount',
    '--propagation',
    'private',
    '--net',
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
    'true',
  ];
  const { status, error, stderr } = spawnSync('unshare', argv, { encoding: 'utf8', timeout: 60_000 });
  const namespaces = status === 0 ? undefined : (error?.message ?? stderr.trim());
  return { files, namespaces };
}

function seenAt(path) {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  const kind = stats.isCharacterDevice() ? 'device' : stats.isDirectory() ? 'directory' : 'other';
  return {
    kind,
    mode: stats.mode,
    major: stats.rdev >> 8,
    minor: stats.rdev & 0xff,
    writable: isWritable(path),
  };
}

function isWritable(path) {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
