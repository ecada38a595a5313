import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { withDeadline } from '../../../daemon/lib/deadline.ts';
import { timers } from '../../support/login-rig.ts';

const never = (): Promise<never> => new Promise(() => undefined);
const program = fileURLToPath(import.meta.resolve('../../support/deadline-under-gc.js'));

describe('a wait with a deadline', () => {
  it('returns what arrives in time, and leaves no timer', async () => {
    const before = timers();
    assert.equal(await withDeadline(Promise.resolve(7), 60_000, () => 0), 7);
    await assert.rejects(
      withDeadline(Promise.reject(new Error('it failed')), 60_000, () => 0),
      /it failed/,
    );
    assert.equal(timers(), before);
  });

  it('ends at the deadline with the result of the caller, which may be an error', async () => {
    assert.equal(await withDeadline(never(), 1, () => 'late'), 'late');
    await assert.rejects(
      withDeadline(never(), 1, () => {
        throw new Error('too late');
      }),
      /too late/,
    );
  });

  it('drops failures after the deadline', async () => {
    let fail: (error: Error) => void = () => undefined;
    const work = new Promise<never>((_, reject) => {
      fail = reject;
    });
    assert.equal(await withDeadline(work, 1, () => 'late'), 'late');
    fail(new Error('nobody hears this'));
    await new Promise((resolve) => setImmediate(resolve));
  });

  it('ends despite aggressive garbage collection; so does a request to validation servers', async () => {
    const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
    // Without its deadline it would wait forever.
    const stuck = setTimeout(() => child.kill('SIGKILL'), 60_000);
    const lines = (await text(child.stdout)).split('\n').sort();
    clearTimeout(stuck);
    assert.deepEqual(lines, ['', 'validation unavailable', 'wait late']);
  });
});
