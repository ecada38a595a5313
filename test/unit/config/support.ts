import assert from 'node:assert/strict';
import type { Config } from '../../../daemon/config/contract.ts';
import { parseConfig } from '../../../daemon/config/load.ts';
import { type ConfigProblem, describeProblem } from '../../../daemon/config/problem.ts';

export const catchAll = '[[realm]]\nname = "rest"\nrequire = "none"\n';

/** The configuration of a text that must be valid. */
export function good(text: string): Config {
  const parsed = parseConfig(text, 'test.toml', 'host.example');
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.problems.map(describeProblem).join('\n'));
  return parsed.config;
}

/** The problems of a text that must be invalid. */
export function bad(text: string): readonly ConfigProblem[] {
  const parsed = parseConfig(text, 'test.toml', 'host.example');
  assert.ok(!parsed.ok, 'the text was accepted');
  return parsed.problems;
}

/** The one problem of a text. */
export function onlyProblem(text: string): ConfigProblem {
  const problems = bad(text);
  assert.equal(problems.length, 1, problems.map(describeProblem).join('\n'));
  const [problem] = problems;
  assert.ok(problem);
  return problem;
}
