import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { catalogue } from '../../../../cli/doctor/catalogue.ts';
import { projectRoot } from '../../../support/project.ts';

test('docs/reference/doctor-findings.md has one row for each finding, with its severity and impact, and what to do', () => {
  const page = readFileSync(join(projectRoot, 'docs/reference/doctor-findings.md'), 'utf8');
  const rows = [...page.matchAll(/^\| `([\w.-]+)` \| (\w+) \| (.+?) \| (.+?) \|$/gm)];
  assert.deepEqual(
    rows.map(([, id, severity, impact]) => [id, severity, impact]),
    Object.entries(catalogue).map(([id, { severity, impact }]) => [id, severity, impact]),
  );
});
