import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { projectRoot, writtenFiles } from '../../support/project.ts';

/** Requirements for every page: its readers, a link onwards, and standard words. */

const textOf = (path: string) => readFileSync(join(projectRoot, path), 'utf8');
const pages = writtenFiles('docs').filter((path) => /^docs\/[\w-]+\/[\w-]+\.md$/.test(path));
const withoutBlocks = (page: string) => page.replace(/^```[\s\S]*?^```$/gm, '');
const withoutCode = (page: string) => withoutBlocks(page).replace(/`[^`\n]*`/g, '');
const notWhatToDo = /^(The|An?|What|How|Where|Why|When|Who|If|For|In)\b|\?$/;
const questions = /^(How|Why|Who)\b|\?$/;

describe('every page of docs/', () => {
  it('is a tutorial, a how-to, a reference or an explanation, and the README leads to it', () => {
    assert.ok(pages.length > 25, String(pages.length));
    const readme = textOf('README.md');
    for (const page of pages) {
      assert.match(page, /^docs\/(tutorial|how-to|reference|explanation)\//);
      assert.ok(readme.includes(`(${page})`), `README.md has no link to ${page}`);
    }
  });

  it('has one title, and first says who it is for', () => {
    for (const page of pages) {
      const [title = '', opening = ''] = textOf(page).split(/\n\n/);
      assert.match(title, /^# \S/, page);
      assert.match(opening, /^For |\. For /, `${page} opens with: ${opening.slice(0, 60)}`);
    }
  });

  it('has headings that say what to do in a how-to, and name things elsewhere', () => {
    for (const page of pages) {
      const wrong = page.startsWith('docs/how-to/') ? notWhatToDo : questions;
      for (const [, heading = ''] of withoutBlocks(textOf(page)).matchAll(/^##+ (.+)$/gm))
        assert.doesNotMatch(heading, wrong, page);
    }
  });

  it('links to another page', () => {
    for (const page of pages) assert.match(textOf(page), /\]\((?!https?:|#)[^)]*\.md/, page);
  });
});

/** Words that the vocabulary of CONTRIBUTING.md replaces. Each page that shows a text of a program quotes it. */
const retired =
  /\b(nobody|whoever|whomever|anew|is none|are told|was told|alone|stands|unproven|mends?|mended|lets? off|(?:is|are) away|throttled?)\b/gi;
/** Tables that repeat texts of the programs, word for word. */
const quoting = /^docs\/reference\/(cli|audit-events|doctor-findings|metrics)\.md$|^docs\/layout\.md$/;

it('the pages use the words of the vocabulary', () => {
  const found = writtenFiles()
    .filter((path) => path.endsWith('.md') && !quoting.test(path))
    .flatMap((path) => [...withoutCode(textOf(path)).matchAll(retired)].map(([word]) => `${path}: ${word}`));
  assert.deepEqual(found, []);
});
