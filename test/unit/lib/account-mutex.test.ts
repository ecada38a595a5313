import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createAccountMutex } from '../../../daemon/lib/account-mutex.ts';

const moment = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('turns', () => {
  it('operations on one account run one after the other, in the requested order', async () => {
    const accountMutex = createAccountMutex();
    let running = 0;
    const order: number[] = [];
    const work = (id: number) => async (): Promise<number> => {
      running += 1;
      assert.equal(running, 1);
      for (let each = 0; each < 3; each += 1) await moment();
      running -= 1;
      order.push(id);
      return id;
    };
    const results = await Promise.all(Array.from({ length: 20 }, (_, id) => accountMutex('alice', work(id))));
    const ids = Array.from({ length: 20 }, (_, id) => id);
    assert.deepEqual([results, order], [ids, ids]);
  });

  it('operations on other accounts do not wait', async () => {
    const accountMutex = createAccountMutex();
    let release = (): void => undefined;
    const stuck = accountMutex(
      'alice',
      () =>
        new Promise<void>((resolve) => {
          release = resolve;
        }),
    );
    const waiting = accountMutex('alice', async () => 'after');
    assert.equal(await accountMutex('bob', async () => 'at once'), 'at once');
    release();
    await stuck;
    assert.equal(await waiting, 'after');
  });

  it('an error is returned to its caller, and does not block others', async () => {
    const accountMutex = createAccountMutex();
    const failing = accountMutex('alice', async () => {
      await moment();
      throw new Error('disk');
    });
    const next = accountMutex('alice', async () => 'went on');
    await assert.rejects(failing, /disk/);
    assert.equal(await next, 'went on');
    await assert.rejects(
      accountMutex('alice', async () => Promise.reject(new Error('again'))),
      /again/,
    );
    assert.equal(await accountMutex('alice', async () => 1), 1);
  });

  it('an operation requested while the last one ends still waits for it', async () => {
    const accountMutex = createAccountMutex();
    let running = 0;
    const work = async (): Promise<void> => {
      running += 1;
      assert.equal(running, 1);
      await moment();
      running -= 1;
    };
    await Promise.all(
      Array.from({ length: 30 }, async (_, each) => {
        for (let wait = 0; wait < each; wait += 1) await null;
        await accountMutex('alice', work);
        await accountMutex('alice', work);
      }),
    );
  });
});
