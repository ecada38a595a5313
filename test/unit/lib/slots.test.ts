import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSlots, type Ran } from '../../../daemon/lib/slots.ts';
import { timers } from '../../support/login-rig.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Work that lasts until it is ended. */
class Work {
  readonly running: string[] = [];
  readonly #ends = new Map<string, () => void>();

  readonly of = (name: string) => (): Promise<string> => {
    this.running.push(name);
    return new Promise((resolve) => this.#ends.set(name, () => resolve(name)));
  };

  async end(name: string): Promise<void> {
    this.#ends.get(name)?.();
    await turn();
  }
}

describe('slots', () => {
  it('allow work up to the limit, and the share of one owner; the rest waits in order', async () => {
    const slots = createSlots({ all: 3, own: 2, waiting: 10 });
    const work = new Work();
    const ran: Promise<Ran<string>>[] = [];
    for (const [name, owner] of [
      ['a1', 'a'],
      ['a2', 'a'],
      ['a3', 'a'],
      ['b1', 'b'],
      ['b2', 'b'],
    ] as const)
      ran.push(slots.run([owner], 60_000, work.of(name)));
    await turn();
    assert.deepEqual(work.running, ['a1', 'a2', 'b1']);
    await work.end('b1');
    assert.deepEqual(
      work.running,
      ['a1', 'a2', 'b1', 'b2'],
      'the owner with a share left, though another waits longer',
    );
    await work.end('a2');
    assert.deepEqual(work.running.at(-1), 'a3');
    for (const name of ['a1', 'a3', 'b2']) await work.end(name);
    assert.deepEqual(
      (await Promise.all(ran)).map((each) => each.kind),
      Array(5).fill('done'),
    );
  });

  it('are freed by work that fails, and by work of several owners for each', async () => {
    const slots = createSlots({ all: 1, own: 1, waiting: 0 });
    for (let each = 0; each < 3; each += 1)
      await assert.rejects(
        slots.run(['a', 'b'], 0, () => Promise.reject(new Error('it failed'))),
        /it failed/,
      );
    assert.deepEqual(await slots.run(['b'], 0, async () => 7), { kind: 'done', value: 7 });
  });

  it('are refused if too many wait, in all and of one owner, and after too long a wait', async () => {
    const before = timers();
    const slots = createSlots({ all: 1, own: 1, waiting: 2, ownWaiting: 1 });
    const work = new Work();
    const first = slots.run(['a'], 60_000, work.of('first'));
    const second = slots.run(['a'], 60_000, work.of('second'));
    assert.deepEqual(await slots.run(['a'], 60_000, work.of('third')), { kind: 'no-slot' });
    assert.deepEqual(await slots.run(['b'], 1, work.of('late')), { kind: 'no-slot' });
    const other = slots.run(['b'], 60_000, work.of('other'));
    assert.deepEqual(await slots.run(['c'], 60_000, work.of('fourth')), { kind: 'no-slot' });
    for (const name of ['first', 'second', 'other']) await work.end(name);
    await Promise.all([first, second, other]);
    assert.deepEqual(work.running, ['first', 'second', 'other']);
    assert.equal(timers(), before);
  });
});
