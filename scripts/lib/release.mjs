/**
 * Finds what prevents a release. Pure: the caller reads the repository.
 * @param {{
 *   status: string, branch: string, tags: readonly string[],
 *   packageJson: { version: string }, lockFile: { version: string, packages: Record<string, { version?: string }> },
 *   changelog: string, today: string,
 * }} found `status`: of `git status --porcelain`; `today`: 2026-01-31
 * @returns {string[]} one line for each fault, with what to do
 */
export function releaseFaults({ status, branch, tags, packageJson, lockFile, changelog, today }) {
  const { version } = packageJson;
  const faults = [];
  const changed = status.split('\n').filter((line) => line !== '');
  if (changed.length > 0)
    faults.push(`the tree has ${changed.length} uncommitted changes, the first: ${changed[0]?.slice(3)}`);
  if (branch !== 'main') faults.push(`the branch is ${branch || 'detached'}; releases are made from main`);
  if (!versionForm.test(version))
    faults.push(`package.json: ${version} is not a version; use MAJOR.MINOR.PATCH or MAJOR.MINOR.PATCH-rc.N`);
  const places = [lockFile.version, lockFile.packages['']?.version];
  for (const place of places)
    if (place !== version)
      faults.push(
        `package-lock.json says ${place}, package.json ${version}; run: npm install --package-lock-only`,
      );
  if (tags.includes(tagOf(version)))
    faults.push(
      `the tag ${tagOf(version)} exists; set the next version in package.json and package-lock.json`,
    );
  return [...faults, ...changelogFaults(version, changelog, today)];
}

const versionForm = /^\d+\.\d+\.\d+(-rc\.\d+)?$/;

/** @returns {string} */
export function tagOf(version) {
  return `v${version}`;
}

function changelogFaults(version, changelog, today) {
  const headings = [...changelog.matchAll(/^## \[([^\]]+)\](?: - (\S+))?$/gm)];
  if (headings[0]?.[1] !== 'Unreleased')
    return ['CHANGELOG.md: its first section is not [Unreleased]; add an empty one for the next changes'];
  const own = headings.find(([, name]) => name === version);
  if (own === undefined)
    return [`CHANGELOG.md has no section [${version}]; rename [Unreleased], and add an empty one above it`];
  const faults = [];
  const date = own[2] ?? '';
  if (!/^\d{4}-\d{2}-\d{2}$/.test(date) || date > today)
    faults.push(`CHANGELOG.md: [${version}] has no date up to today; write: ## [${version}] - ${today}`);
  if (headings[1] !== own) faults.push(`CHANGELOG.md: [${version}] is not the newest section`);
  if (notesOf(version, changelog) === '') faults.push(`CHANGELOG.md: [${version}] is empty`);
  return faults;
}

/** What the changelog says of a version. @returns {string} */
export function notesOf(version, changelog) {
  const sections = changelog.split(/^## /m);
  const own = sections.find((section) => section.startsWith(`[${version}]`)) ?? '';
  return own.slice(own.indexOf('\n') + 1).trim();
}
