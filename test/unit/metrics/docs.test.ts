import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { createCounts } from '../../../daemon/metrics/counts.ts';
import { createMetrics } from '../../../daemon/metrics/metrics.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { projectRoot } from '../../support/project.ts';
import { eventOf } from '../../support/store-records.ts';
import { config } from '../policy/support.ts';
import { readMetrics } from './parser.ts';

it('docs/reference/metrics.md has every metric with its type and labels', async () => {
  const page = readFileSync(join(projectRoot, 'docs/reference/metrics.md'), 'utf8');
  const written = new Map(
    [...page.matchAll(/^\| `(\w+)` \| (\w+) \| (.*?) \|/gm)].map(([, name = '', type, labels = '']) => [
      name,
      `${type} ${[...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label).sort()}`,
    ]),
  );
  const store = new MemoryStore();
  const counts = createCounts();
  counts.note(eventOf('a'));
  counts.note({ ...eventOf('a'), kind: 'unlocked' });
  const withEverything = {
    health: () => ({
      ...store.health(),
      trail: { bytes: 1 },
      scrub: { lastFinished: 1, read: 0, findings: [] },
    }),
    accounts: store.accounts.bind(store),
  };
  const paths = { ...config().paths, store: projectRoot };
  const metrics = createMetrics({
    counts,
    store: Object.assign(Object.create(store), withEverything),
    config: () => ({ ...config(), paths }),
    openLogins: () => 0,
    now: Date.now,
    version: '1',
    started: 1,
    keyId: () => 'k',
  });
  const reported = new Map(
    [...readMetrics(await metrics.text())].map(([name, { type, samples }]) => {
      const labels = Object.keys(samples[0]?.labels ?? {}).filter((label) => label !== 'le');
      return [name, `${type} ${labels.sort()}`];
    }),
  );
  assert.deepEqual(Object.fromEntries([...written].sort()), Object.fromEntries([...reported].sort()));
});
