import assert from 'node:assert/strict';
import { it } from 'node:test';
import { startSettingsReport } from '../../../portal/settings-report.ts';
import { until } from '../../support/until.ts';

it('reports its settings at once, and continues after a sallyportd that does not answer', async () => {
  let reports = 0;
  const report = startSettingsReport(async () => {
    reports += 1;
    throw new Error('there is no sallyportd');
  }, 1);
  assert.equal(reports, 1);
  await until(async () => reports > 3, 60_000);
  report.close();
  const after = reports;
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(reports, after);
});
