import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { parseConfig } from '../../../daemon/config/load.ts';
import { portalSchema } from '../../../daemon/config/portal-schema.ts';
import { describeProblem } from '../../../daemon/config/problem.ts';
import { documentSchema, realmSchema, ruleSchema } from '../../../daemon/config/schema.ts';
import { refusals } from '../../../daemon/policy/decision.ts';
import { catchAll, good } from './support.ts';

function textOf(...path: string[]): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return readFileSync(join(folder, ...path), 'utf8');
}

const page = textOf('docs', 'realms.md');
const sample = textOf('pam-config', 'sallyport.toml.sample');

describe('docs/realms.md', () => {
  it('names every key, and so does the sample', () => {
    for (const schema of [documentSchema, portalSchema, realmSchema, ruleSchema]) {
      for (const key of Object.keys(schema.entries)) {
        assert.match(page, new RegExp(`\\b${key}\\b`), key);
        assert.match(sample, new RegExp(`\\b${key}\\b`), key);
      }
    }
  });

  it('names every reason for a refusal', () => {
    for (const why of Object.keys(refusals)) assert.ok(page.includes(`\`${why}\``), why);
  });

  it('has examples that load', () => {
    const blocks = [...page.matchAll(/```toml\n([\s\S]*?)```/g)].map(([, text]) => text ?? '');
    assert.ok(blocks.length >= 2);
    const head = '[[realm]]\nname = "x"\nrequire = "any"\nmembers = { users = ["a"] }\n';
    for (const text of blocks) good(`${/^\[\[realm\]\]/m.test(text) ? '' : head}${text}\n${catchAll}`);
  });

  it('shows problems as they are told', () => {
    const text = `${'\n'.repeat(10)}[[realm]]\nname = "x"\nrequire = "any"\ntotp = { digits = 9 }\nlockot = {}\n`;
    const parsed = parseConfig(text, '/etc/sallyport/sallyport.toml', 'h');
    assert.ok(!parsed.ok);
    assert.equal(parsed.problems.length, 2);
    for (const problem of parsed.problems)
      assert.ok(page.includes(describeProblem(problem)), describeProblem(problem));
  });
});
