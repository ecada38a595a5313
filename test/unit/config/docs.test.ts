import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { parseConfig } from '../../../daemon/config/load.ts';
import { portalSchema } from '../../../daemon/config/portal.ts';
import { describeProblem } from '../../../daemon/config/problem.ts';
import { documentSchema, realmSchema, ruleSchema } from '../../../daemon/config/schema.ts';
import { refusals } from '../../../daemon/policy/decision.ts';
import { catchAll, good } from './support.ts';

function textOf(...path: string[]): string {
  let directory = import.meta.dirname;
  while (!existsSync(join(directory, 'package.json'))) directory = dirname(directory);
  return readFileSync(join(directory, ...path), 'utf8');
}

const page = textOf('docs', 'reference', 'configuration.md');
const decisions = textOf('docs', 'explanation', 'how-decisions-are-made.md');
const sample = textOf('pam-config', 'sallyport.toml.sample');

/** Including those of nested tables. */
function keysOf(schema: object): readonly string[] {
  if ('wrapped' in schema && typeof schema.wrapped === 'object' && schema.wrapped !== null)
    return keysOf(schema.wrapped);
  if (!('entries' in schema) || typeof schema.entries !== 'object' || schema.entries === null) return [];
  return Object.entries(schema.entries).flatMap(([key, value]) => [key, ...keysOf(value)]);
}

describe('docs/reference/configuration.md', () => {
  it('names every setting, and so does the sample', () => {
    const keys = [documentSchema, portalSchema, realmSchema, ruleSchema].flatMap(keysOf);
    assert.ok(keys.length > 60 && keys.includes('password_service_dir'), String(keys));
    for (const key of keys) {
      assert.match(page, new RegExp(`\\b${key}\\b`), key);
      assert.match(sample, new RegExp(`\\b${key}\\b`), key);
    }
  });

  it('names every reason for a refusal', () => {
    for (const why of Object.keys(refusals)) assert.ok(decisions.includes(`\`${why}\``), why);
  });

  it('has examples that are valid', () => {
    const blocks = [...`${page}\n${decisions}`.matchAll(/```toml\n([\s\S]*?)```/g)].map(
      ([, text]) => text ?? '',
    );
    assert.ok(blocks.length >= 5);
    const head = '[[realm]]\nname = "x"\nrequire = "any"\nmembers = { users = ["a"] }\n';
    for (const text of blocks) good(`${/^\[\[realm\]\]/m.test(text) ? '' : head}${text}\n${catchAll}`);
  });

  it('shows problems as they are reported', () => {
    const text = `${'\n'.repeat(10)}[[realm]]\nname = "x"\nrequire = "any"\ntotp = { digits = 9 }\nlockot = {}\n`;
    const parsed = parseConfig(text, '/etc/sallyport/sallyport.toml', 'h');
    assert.ok(!parsed.ok);
    assert.equal(parsed.problems.length, 2);
    for (const problem of parsed.problems)
      assert.ok(page.includes(describeProblem(problem)), describeProblem(problem));
  });
});
