import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { aptInstall } from './apt.mjs';
import { packagesFor } from './packages.mjs';
import { aptCommand, decide, isDebianLike, missingFrom, missingLines, nodeComplaint } from './plan.mjs';
import { root, say, step, stop } from './run.mjs';

const spoken = {
  start: 'start',
  test: 'test',
  long: 'run test:long',
  bench: 'run bench',
  package: 'run package',
};

/**
 * Installs what a command needs, after saying why. At a terminal it asks first, except in CI; without one it
 * installs npm's packages, and Debian's only as root.
 * @param {'start' | 'test' | 'long' | 'bench' | 'package'} command
 */
export async function setUp(command) {
  const complaint = nodeComplaint(process.versions.node);
  if (complaint !== undefined) stop(complaint);

  const found = lookAround(packagesFor[command]);
  const decision = decide(found);
  if (decision === 'go') return;

  say(`npm ${spoken[command]} needs what is not here yet:`);
  for (const line of missingLines(found)) say(line);
  const byHand = [
    ...(found.packages.length > 0 ? [aptCommand(found.packages, found.root)] : []),
    ...(found.modules ? ['npm ci --ignore-scripts'] : []),
  ].join(' && ');

  if (decision === 'foreign')
    stop('This system is not based on Debian: install them with its package manager, then run this again.');
  if (decision === 'stop')
    stop(`There is no terminal to ask for confirmation, and this is not root. Run this first:\n  ${byHand}`);
  if (decision === 'ask' && !(await agreed())) stop(`Nothing was changed. To install manually:\n  ${byHand}`);

  if (found.packages.length > 0)
    aptInstall(
      found.packages.map((wanted) => wanted.name),
      found.root,
    );
  if (found.modules) step('installing the npm packages …', 'npm', ['ci', '--ignore-scripts']);
}

function lookAround(wanted) {
  const debian = existsSync('/etc/os-release') && isDebianLike(readFileSync('/etc/os-release', 'utf8'));
  return {
    packages: debian
      ? missingDebian(wanted)
      : wanted.filter(({ file }) => file !== null && !existsSync(file)),
    modules: !modulesAreCurrent(),
    debian,
    root: process.getuid?.() === 0,
    ci: process.env.CI !== undefined && process.env.CI !== '' && process.env.CI !== 'false',
    terminal: process.stdin.isTTY === true && process.stderr.isTTY === true,
  };
}

function missingDebian(wanted) {
  const names = wanted.map(({ name }) => name);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
  const format = '--showformat=${Package} ${db:Status-Status}\\n';
  const { stdout } = spawnSync('dpkg-query', ['--show', format, ...names], { encoding: 'utf8' });
  return missingFrom(stdout ?? '', wanted);
}

/** npm writes its own copy of the lock file last of all. */
function modulesAreCurrent() {
  const installed = join(root, 'node_modules', '.package-lock.json');
  return (
    existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs
  );
}

async function agreed() {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question('Install it? [Y/n] ');
    return /^(y|yes|)$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}
