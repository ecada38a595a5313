import assert from 'node:assert/strict';
import { it } from 'node:test';
import { killWriters } from '../../support/store-kills.ts';

it('a killed store recovers by itself with everything that was acknowledged', async () => {
  assert.ok((await killWriters(6)) > 0);
});
