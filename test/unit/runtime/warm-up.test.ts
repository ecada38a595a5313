import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { limits } from '../../../daemon/limits.ts';
import { warmUp } from '../../../daemon/runtime/warm-up.ts';
import { hostWith } from '../../support/host.ts';
import { projectRoot } from '../../support/project.ts';

const nobody = (): never => assert.fail('a warm-up asks NSS nothing');

describe('warming up', () => {
  const host = hostWith({ accounts: { byName: nobody, byUid: nobody } });

  it('lets so many logins in, of an account that NSS is not asked for, and lets others go first', async () => {
    let turns = 0;
    let isOver = false;
    const other = (): void => {
      turns += 1;
      if (!isOver) setImmediate(other);
    };
    other();
    try {
      assert.equal(await warmUp(host, new AbortController().signal), limits.warmUp.logins);
    } finally {
      isOver = true;
    }
    assert.ok(turns >= limits.warmUp.logins, String(turns));
  });

  it('ends when the daemon stops', async () => {
    const stopped = new AbortController();
    const warm = warmUp(host, stopped.signal);
    stopped.abort();
    assert.ok((await warm) < limits.warmUp.logins);
  });

  it('keeps the process until it has ended: a stop waits for it, and then closes the store', () => {
    const module = join(projectRoot, 'dist/daemon/runtime/warm-up.js');
    const program = `
      import { warmUp } from ${JSON.stringify(module)};
      warmUp({ id: '', name: '', bootId: '' }, AbortSignal.abort()).then(() => console.log('aborted'));
      warmUp({ id: '', name: '', bootId: '' }, new AbortController().signal).then(() => console.log('ended'));`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
      encoding: 'utf8',
    });
    assert.deepEqual(stdout.trim().split('\n').sort(), ['aborted', 'ended']);
  });
});
