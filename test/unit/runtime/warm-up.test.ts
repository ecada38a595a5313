import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '../../../daemon/limits.ts';
import { warmUp } from '../../../daemon/runtime/warm-up.ts';
import { hostWith } from '../../support/host.ts';

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
});
