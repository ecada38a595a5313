/**
 * Threat: others choose the code that runs here, through a version that is a range, or a lock file
 * that names where packages are fetched from. And what `npm ci` refuses: a package that the lock file
 * names but does not hold, as happens when a platform's package cannot be had while the file is written.
 * @returns {string[]} one line for each fault
 */
export function pinFaults(packageJson, lockFile) {
  const faults = [];
  for (const group of ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies']) {
    for (const [name, version] of Object.entries(packageJson[group] ?? {})) {
      if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
        faults.push(`package.json: ${name} has no exact version: ${version}`);
    }
  }
  const held = new Set(
    Object.keys(lockFile.packages ?? {}).map((path) => path.split('node_modules/').at(-1)),
  );
  for (const [path, entry] of Object.entries(lockFile.packages ?? {})) {
    for (const name of Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })) {
      if (!held.has(name))
        faults.push(`package-lock.json: ${path || 'package.json'} needs ${name}, which is not there`);
    }
    if (path === '') continue;
    if (entry.resolved !== undefined) faults.push(`package-lock.json: ${path} says where it is fetched from`);
    if (entry.integrity === undefined) faults.push(`package-lock.json: ${path} has no checksum`);
  }
  return faults;
}
