import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { projectRoot, writtenFiles } from '../support/project.ts';

/**
 * Words that the vocabulary of CONTRIBUTING.md replaces, and how often they are left in the product: in names, comments
 * and texts. The counts only fall. What stays is a name that is not ours to change: a stored field, the account
 * `nobody`, a purpose of derived keys.
 */
const retired: Readonly<Record<string, { readonly pattern: RegExp; readonly left: number }>> = {
  alone: { pattern: /\balone\b/gi, left: 2 },
  anew: { pattern: /\banew\b/gi, left: 2 },
  'is none': { pattern: /\bis none\b/gi, left: 11 },
  judge: { pattern: /\bjudg/gi, left: 6 },
  'let off': { pattern: /\blet(s|ting)? off\b/gi, left: 1 },
  meets: { pattern: /\bmeets\b/gi, left: 0 },
  mend: { pattern: /\bmend(s|ed|ing)?\b/gi, left: 0 },
  nobody: { pattern: /\bnobody\b/gi, left: 10 },
  proven: { pattern: /\b(un)?proven\b/gi, left: 1 },
  somebody: { pattern: /\bsomebody\b/gi, left: 1 },
  spent: { pattern: /\bspent\b/gi, left: 51 },
  stands: { pattern: /\bstands\b/gi, left: 5 },
  throttle: { pattern: /\bthrottl/gi, left: 16 },
  told: { pattern: /\btold\b/gi, left: 1 },
  tries: { pattern: /\btries\b/gi, left: 6 },
  whoever: { pattern: /\bwhoever\b/gi, left: 0 },
};

const product = writtenFiles()
  .filter((path) => /^(cli|daemon|man|native|notify|portal)\/.*\.(tsx?|c|cc|h)$/.test(path))
  .map((path) => ({ path, text: readFileSync(join(projectRoot, path), 'utf8') }));

for (const [word, { pattern, left }] of Object.entries(retired))
  it(`the product says "${word}" no more often than it did`, () => {
    assert.ok(product.length > 300, String(product.length));
    const found = product.flatMap(({ path, text }) => [...text.matchAll(pattern)].map(() => path));
    assert.equal(found.length, left, [...new Set(found)].join(', '));
  });
