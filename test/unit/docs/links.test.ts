import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, it } from 'node:test';
import { lexer, type Token } from 'marked';
import { projectRoot, writtenFiles } from '../../support/project.ts';
import { anchorsOf } from './anchors.ts';

/** Every link in every page leads to a file, a directory or a heading that exists. */

const textOf = (path: string) => readFileSync(join(projectRoot, path), 'utf8');
const files = writtenFiles();
const pages = files.filter((path) => path.endsWith('.md'));

function linksIn(tokens: readonly Token[]): readonly string[] {
  return tokens.flatMap((token) => {
    const own = (token.type === 'link' || token.type === 'image') && typeof token.href === 'string';
    const inside: Token[] = 'tokens' in token && Array.isArray(token.tokens) ? token.tokens : [];
    const items: { tokens: Token[] }[] = token.type === 'list' ? token.items : [];
    const cells: { tokens: Token[] }[] =
      token.type === 'table' ? [...token.header, ...token.rows.flat()] : [];
    return [
      ...(own ? [String(token.href)] : []),
      ...linksIn(inside),
      ...[...items, ...cells].flatMap((part) => linksIn(part.tokens)),
    ];
  });
}

/** Why a link of a page is broken; undefined if it works. */
function faultOf(page: string, link: string): string | undefined {
  if (/^(https?|mailto):/.test(link)) return undefined;
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? page : normalize(join(dirname(page), path));
  if (target.startsWith('..') || !existsSync(join(projectRoot, target))) return 'no such file';
  if (anchor === undefined) return undefined;
  if (!target.endsWith('.md') || statSync(join(projectRoot, target)).isDirectory()) return 'no page';
  return anchorsOf(textOf(target)).has(anchor) ? undefined : 'no such heading';
}

describe('the pages', () => {
  it('have no broken link', () => {
    const links = pages.flatMap((page) => linksIn(lexer(textOf(page))).map((link) => ({ page, link })));
    assert.ok(links.length > 100, String(links.length));
    const faults = links.flatMap(({ page, link }) => {
      const fault = faultOf(page, link);
      return fault === undefined ? [] : [`${page}: ${link}: ${fault}`];
    });
    assert.deepEqual(faults, []);
  });

  it('are named by other files under paths that exist', () => {
    const named = files
      .filter((path) => !/\.(png|hex|json)$/.test(path))
      .flatMap((path) =>
        [...textOf(path).matchAll(/(?<![\w/.-])((?:docs|pam-config)\/[\w/-]+\.md)\b/g)].map(
          ([, page = '']) => ({
            path,
            page,
          }),
        ),
      );
    assert.ok(named.length > 50, String(named.length));
    assert.deepEqual(
      named
        .filter(({ page }) => !existsSync(join(projectRoot, page)))
        .map(({ path, page }) => `${path}: ${page}`),
      [],
    );
  });

  it('have the headings by which other files cite them', () => {
    const cited = files
      .filter((path) => !/\.(png|hex|json)$/.test(path))
      .flatMap((path) =>
        [...textOf(path).matchAll(/(?<![\w/.-])(docs\/[\w/-]+\.md), "([A-Z][^"\n]+)"/g)].map(
          ([, page = '', heading = '']) => ({ path, page, heading }),
        ),
      );
    assert.ok(cited.length > 15, String(cited.length));
    const lost = cited.filter(({ page, heading }) => !textOf(page).match(new RegExp(`^#+ ${heading}$`, 'm')));
    assert.deepEqual(lost, []);
  });

  it('name files of the project that exist', () => {
    const source = /`((?:bench|cli|daemon|man|native|notify|pam-config|portal|scripts|test)\/[\w./-]+)`/g;
    const named = pages.flatMap((page) =>
      [...textOf(page).matchAll(source)]
        .map(([, path = '']) => ({ page, path }))
        // A placeholder, such as KIND.ts.
        .filter(({ path }) => !/[A-Z]{4}/.test(path)),
    );
    assert.ok(named.length > 100, String(named.length));
    assert.deepEqual(
      named
        .filter(({ path }) => !existsSync(join(projectRoot, path)))
        .map(({ page, path }) => `${page}: ${path}`),
      [],
    );
  });
});
