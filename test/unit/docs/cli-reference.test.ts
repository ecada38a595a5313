import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { programOf } from '../../../cli/program.ts';
import { cliReference } from '../../../man/cli-reference.ts';
import { nowhere } from '../../../man/world.ts';
import { projectRoot } from '../../support/project.ts';

it('docs/reference/cli.md is what --help says; if it is not, run: npm run docs', () => {
  const page = readFileSync(join(projectRoot, 'docs/reference/cli.md'), 'utf8');
  assert.equal(page, cliReference(programOf(nowhere('1.2.3')).program));
});
