import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { notesOf, releaseFaults, tagOf } from './lib/release.mjs';
import { root, say, stop } from './lib/run.mjs';

const usage = `usage: npm run release -- [--dry-run]

Checks that the tree is clean, that the changelog and every version agree, and runs "npm run check". Then it
asks, and makes the tag. It pushes nothing.
  --dry-run  everything but the tag`;

function readArguments() {
  try {
    return parseArgs({ options: { 'dry-run': { type: 'boolean', default: false } } }).values;
  } catch (error) {
    return stop(`${error.message}\n${usage}`);
  }
}

function git(...args) {
  const { status, stdout, stderr } = spawnSync('git', args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) stop(`failed: git ${args.join(' ')}\n${stderr}`);
  return stdout;
}

async function agreed(question) {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}

const dryRun = readArguments()['dry-run'];
if (!dryRun && !process.stdin.isTTY) stop('a release is confirmed on a terminal; to check only: --dry-run');
const read = (name) => readFileSync(join(root, name), 'utf8');
const packageJson = JSON.parse(read('package.json'));
const changelog = read('CHANGELOG.md');
const tag = tagOf(packageJson.version);
const faults = releaseFaults({
  status: git('status', '--porcelain'),
  branch: git('branch', '--show-current').trim(),
  tags: git('tag').split('\n'),
  packageJson,
  lockFile: JSON.parse(read('package-lock.json')),
  changelog,
  today: new Date().toISOString().slice(0, 10),
});
if (faults.length > 0) stop(`${tag} cannot be released:\n${faults.map((fault) => `- ${fault}`).join('\n')}`);

say(`${tag}: the tree is clean, and versions and changelog agree. Running npm run check …`);
const { status } = spawnSync(process.execPath, ['scripts/check.mjs'], {
  cwd: root,
  stdio: ['ignore', 'inherit', 'inherit'],
});
if (status !== 0) stop(`${tag} cannot be released: npm run check failed`);
if (git('status', '--porcelain') !== '') stop(`${tag} cannot be released: the checks changed files`);

if (dryRun) say(`${tag} can be released; nothing was changed.`);
else if (await agreed(`Make the tag ${tag}?`)) {
  git(
    'tag',
    '--annotate',
    // Headings of the changelog are not comments.
    '--cleanup=verbatim',
    tag,
    '--message',
    `Sallyport ${packageJson.version}\n\n${notesOf(packageJson.version, changelog)}`,
  );
  say(`Made the tag ${tag}. To publish it: git push origin ${tag}`);
} else stop('Nothing was changed.');
