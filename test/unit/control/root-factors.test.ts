import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { rootFactorsText } from '../../../daemon/api/permissions.ts';
import { projectRoot } from '../../support/project.ts';

test('the command and the portal have the same text for who can change the factors of root', () => {
  const sentence = `${rootFactorsText.charAt(0).toUpperCase()}${rootFactorsText.slice(1)}.`;
  for (const page of ['factors/requirements.ts', 'admin/account-page.tsx'])
    assert.ok(readFileSync(join(projectRoot, 'portal/pages', page), 'utf8').includes(sentence), page);
});
