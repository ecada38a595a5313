import { readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { filesBelow } from './fresh.mjs';
import { root } from './run.mjs';

const linkPattern = /\]\((?!https?:|mailto:|#)([^)\s#]+)/g;

/**
 * The pages of the project and the pictures in them, as they are installed. Invariant: each link leads to what is
 * installed.
 * @param {(path: string) => string} homeOf where a file of the project is installed, from the root of the tree
 * @returns {{ path: string, contents: string | Buffer }[]}
 */
export function installedPages(homeOf) {
  const besides = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'];
  const names = [...besides, ...filesBelow(root, 'docs'), ...filesBelow(root, 'pam-config')];
  const pages = names
    .filter((name) => name.endsWith('.md'))
    .map((name) => ({ name, text: readFileSync(join(root, name), 'utf8') }));
  const targets = pages.flatMap(({ name, text }) =>
    [...text.matchAll(linkPattern)].map(([, link]) => posix.join(dirname(name), link)),
  );
  const pictures = new Set(targets.filter((target) => target.endsWith('.png')));
  return [
    ...pages.map(({ name, text }) => ({
      path: homeOf(name),
      contents: withInstalledLinks(name, text, homeOf),
    })),
    ...[...pictures].map((name) => ({ path: homeOf(name), contents: readFileSync(join(root, name)) })),
  ];
}

function withInstalledLinks(name, text, homeOf) {
  const from = dirname(homeOf(name));
  return text.replace(linkPattern, (_, link) => {
    const target = homeOf(posix.join(dirname(name), link));
    return `](${posix.relative(from, target)}`;
  });
}
