import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { projectRoot, writtenFiles } from '../support/project.ts';

interface Retired {
  readonly pattern: RegExp;
  readonly left: number;
  /** What the occurrences left are, where there are any: names that cannot change. */
  readonly because?: string;
}

/**
 * Words that the vocabulary of CONTRIBUTING.md replaces, and how often they occur in the product: in names, comments
 * and texts. The counts only fall.
 */
const retired: Readonly<Record<string, Retired>> = {
  alone: { pattern: /\balone\b/gi, left: 0 },
  anew: { pattern: /\banew\b/gi, left: 0 },
  'is none': { pattern: /\bis none\b/gi, left: 0 },
  judge: { pattern: /\bjudg/gi, left: 0 },
  'let off': { pattern: /\blet(s|ting)? off\b/gi, left: 0 },
  meets: { pattern: /\bmeets\b/gi, left: 0 },
  mend: { pattern: /\bmend(s|ed|ing)?\b/gi, left: 0 },
  nobody: { pattern: /\bnobody\b/gi, left: 1, because: 'the Unix account "nobody"' },
  proven: { pattern: /\b(un)?proven\b/gi, left: 1, because: 'a field of stored events, mapped when read' },
  somebody: { pattern: /\bsomebody\b/gi, left: 0 },
  spent: { pattern: /\bspent\b/gi, left: 44, because: 'a field of stored records' },
  stands: { pattern: /\bstands\b/gi, left: 0 },
  throttle: { pattern: /\bthrottl/gi, left: 5, because: 'the purpose of a derived key' },
  told: { pattern: /\btold\b/gi, left: 0 },
  tries: { pattern: /\btries\b/gi, left: 0 },
  whoever: { pattern: /\bwhoever\b/gi, left: 0 },
};

const product = writtenFiles()
  .filter((path) =>
    /^(cli|daemon|man|native|notify|portal)\/.*\.(tsx?|c|cc|h)$|^(pam-config|packaging|scripts)\//.test(path),
  )
  .map((path) => ({ path, text: readFileSync(join(projectRoot, path), 'utf8') }));

for (const [word, { pattern, left, because }] of Object.entries(retired))
  it(`the product does not say "${word}"${because === undefined ? '' : `, except as ${because}`}`, () => {
    assert.ok(product.length > 300, String(product.length));
    const found = product.flatMap(({ path, text }) => [...text.matchAll(pattern)].map(() => path));
    assert.equal(found.length, left, [...new Set(found)].join(', '));
  });
