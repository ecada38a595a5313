/** Decides what to do about missing packages. Pure: the machine is examined elsewhere. */

const oldestNode = [20, 19];

/** @returns {string | undefined} message for a user whose Node is too old */
export function nodeComplaint(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [neededMajor = 0, neededMinor = 0] = oldestNode;
  if (major > neededMajor || (major === neededMajor && minor >= neededMinor)) return undefined;
  return `Node ${version} is too old: Sallyport needs ${oldestNode.join('.')} or newer. Debian 13 has one; for others see nodejs.org.`;
}

/** @returns whether /etc/os-release names `debian`, `ubuntu` or a derivative */
export function isDebianLike(osRelease) {
  const ids = osRelease.match(/^(ID|ID_LIKE)=.*$/gm) ?? [];
  return ids.some((line) => /\b(debian|ubuntu)\b/.test(line));
}

/**
 * @param {{ packages: { name: string }[], modules: boolean, debian: boolean, root: boolean, ci: boolean, terminal: boolean }} found
 *   `packages` and `modules` are missing; `terminal`: a user can be asked
 * @returns {'go' | 'install' | 'ask' | 'stop' | 'foreign'}
 */
export function decide({ packages, modules, debian, root, ci, terminal }) {
  if (packages.length === 0 && !modules) return 'go';
  if (packages.length > 0 && !debian) return 'foreign';
  if (terminal && !ci) return 'ask';
  if (root) return 'install';
  // npm's packages stay in the project's directory; Debian's change the machine, which needs a confirmation.
  return packages.length > 0 ? 'stop' : 'install';
}

/** For people to copy. */
export function aptCommand(packages, root) {
  const names = packages.map((wanted) => wanted.name).join(' ');
  return `${root ? '' : 'sudo '}apt-get install -y --no-install-recommends ${names}`;
}

/** One line for each thing that is missing, with its reason. */
export function missingLines({ packages, modules, debian }) {
  const lines = packages.map((wanted) => `  ${debian ? wanted.name : wanted.purpose}: ${wanted.why}`);
  if (modules)
    lines.push(
      '  node_modules: the npm packages of package-lock.json, into this directory, no scripts run',
      '  build, dist: what is compiled out of this directory then, in about a minute',
    );
  return lines;
}

/** What `dpkg-query --show --showformat '${Package} ${db:Status-Status}\n'` printed, against what is wanted. */
export function missingFrom(dpkgOutput, wanted) {
  const installed = new Set();
  for (const line of dpkgOutput.split('\n')) {
    const [name, status] = line.split(' ');
    if (status === 'installed') installed.add(name);
  }
  return wanted.filter(({ name }) => !installed.has(name));
}
