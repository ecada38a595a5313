import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { kinds } from '../../../daemon/factors/kinds.ts';
import { projectRoot } from '../../support/project.ts';

test('the reference says of each kind what the store holds', () => {
  const page = readFileSync(join(projectRoot, 'docs/reference/factors.md'), 'utf8');
  const table = /^\| factor \| stored \|.*\n(?:\|.*\n)*/m.exec(page)?.[0] ?? '';
  const named = [...table.matchAll(/^\| ((?:`[a-z0-9-]+`(?:, )?)+) \|/gm)].flatMap(
    ([, cell]) => cell?.replaceAll('`', '').split(', ') ?? [],
  );
  assert.deepEqual(named.sort(), Object.keys(kinds).sort());
});
