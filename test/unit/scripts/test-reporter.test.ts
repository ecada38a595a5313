import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { projectRoot } from '../../support/project.ts';

const failing = `
import { describe, it } from 'node:test';
describe('a suite', () => {
  it('passes', () => {});
  it('fails', () => { throw new Error('one reason'); });
});`;
const waiting = `
import { it } from 'node:test';
it('never ends', () => new Promise(() => setInterval(() => {}, 1000)));`;

describe('the reporter of the tests', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-reporter-'));
  after(() => rmSync(directory, { recursive: true }));

  function outputOf(files: Readonly<Record<string, string>>): string {
    const paths = Object.entries(files).map(([name, text]) => {
      writeFileSync(join(directory, name), text);
      return join(directory, name);
    });
    const reporter = join(projectRoot, 'scripts/lib/test-reporter.mjs');
    const options = ['--test', '--test-timeout=2000', `--test-reporter=${reporter}`];
    // Without it the process reports to this test's own runner.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    return spawnSync(process.execPath, [...options, ...paths], { encoding: 'utf8', env }).stdout;
  }

  it('repeats each failure and unfinished test before the totals, which come last', () => {
    const lines = outputOf({ 'failing.test.mjs': failing, 'waiting.test.mjs': waiting }).split('\n');
    const end = lines.slice(lines.indexOf('1..2') + 1).join('\n');
    assert.match(end, /^# not ok after \d+ s: \S*failing\.test\.mjs:\d+ fails\n# {3}one reason\n/);
    assert.match(end, /# not ok after \d+ s: \S*waiting\.test\.mjs\n# {3}test timed out.*\n.*never ends\n/);
    assert.equal(end.match(/not ok/g)?.length, 2);
    assert.match(end, /# tests \d+\n# suites \d+\n# pass 1\n# fail 1\n# cancelled 1\n/);
  });

  it('adds nothing when all passed', () => {
    const lines = outputOf({ 'passing.test.mjs': "import { it } from 'node:test'; it('passes', () => {});" });
    assert.match(lines, /\n1\.\.1\n# tests 1\n/);
  });
});
