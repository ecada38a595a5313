import { spawnSync } from 'node:child_process';
import { say, stop } from './run.mjs';

/** A server that is installed here serves tests, which start their own: Debian must not start the machine's. */
const servers = new Set(['openssh-server']);

const options = ['-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300'];

/**
 * Run by sh as root. policy-rc.d is Debian's way to forbid the start of services while packages are
 * configured; an existing one is kept, and ours is removed when the shell ends.
 */
const withoutStarting = `
guard=/usr/sbin/policy-rc.d
if [ ! -e "$guard" ]; then
  trap 'rm -f "$guard"' EXIT
  trap 'exit 130' INT TERM HUP
  printf '#!/bin/sh\\nexit 101\\n' > "$guard"
  chmod 755 "$guard"
fi
"$@"
`;

/** @param {string[]} names Debian packages that are missing */
export function aptInstall(names, asRoot) {
  say(`installing ${names.length} Debian package${names.length === 1 ? '' : 's'} …`);
  let updated = false;
  const update = () => {
    updated = true;
    apt(asRoot, ['apt-get', 'update']);
  };
  if (names.some((name) => !isListed(name))) update();
  const install = ['apt-get', 'install', ...options, ...names];
  const command = names.some((name) => servers.has(name))
    ? ['sh', '-c', withoutStarting, 'sh', ...install]
    : install;
  let failure = apt(asRoot, command);
  if (failure !== undefined && !updated) {
    // The lists may name versions that the mirror has replaced.
    update();
    failure = apt(asRoot, command);
  }
  if (failure !== undefined) stop(`${failure}\nfailed: ${install.join(' ')}`);
}

function isListed(name) {
  return spawnSync('apt-cache', ['show', '--no-all-versions', name], { stdio: 'ignore' }).status === 0;
}

/** @returns what was printed, if it failed */
function apt(asRoot, command) {
  const [program, ...args] = [
    ...(asRoot ? [] : ['sudo']),
    'env',
    'DEBIAN_FRONTEND=noninteractive',
    ...command,
  ];
  // sudo asks for its password on the terminal itself.
  const result = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
    stdio: [asRoot ? 'ignore' : 'inherit', 'pipe', 'pipe'],
  });
  if (result.status === 0) return undefined;
  return result.error === undefined
    ? `${result.stdout}${result.stderr}`
    : `${program}: ${result.error.message}`;
}
