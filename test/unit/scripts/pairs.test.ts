import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { allPairs, coveredBy, coveringRows, type Row } from '../../support/pairs/table.ts';
import { projectRoot } from '../../support/project.ts';

const path = 'test/vectors/pairs.json';
const kept = JSON.parse(readFileSync(join(projectRoot, path), 'utf8')) as readonly Row[];

describe('the table of journeys', () => {
  it('contains every pair of values', () => {
    const covered = coveredBy(kept);
    assert.deepEqual(
      [...allPairs()].filter((pair) => !covered.has(pair)),
      [],
    );
  });

  it('is the one that is generated', () => {
    assert.deepEqual(kept, coveringRows(), `write it again: the generator is test/support/pairs/table.ts`);
  });
});
