/**
 * What would let somebody else choose the code that runs here: a version that is a range, or a lock file
 * that names where packages are fetched from.
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
  for (const [path, entry] of Object.entries(lockFile.packages ?? {})) {
    if (path === '') continue;
    if (entry.resolved !== undefined) faults.push(`package-lock.json: ${path} says where it is fetched from`);
    if (entry.integrity === undefined) faults.push(`package-lock.json: ${path} has no checksum`);
  }
  return faults;
}
