import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '../../../daemon/limits.ts';
import { createPacedChecks, type Lane } from '../../../daemon/sign-in/paced-checks.ts';

/** Time that passes only when nothing else is left to do. */
class VirtualTime {
  now = 0;
  #timers: { readonly at: number; readonly wake: () => void }[] = [];

  readonly monotonic = () => this.now;
  readonly sleep = (ms: number): Promise<void> =>
    ms <= 0
      ? Promise.resolve()
      : new Promise((wake) => void this.#timers.push({ at: this.now + ms, wake: () => wake() }));

  async pass(): Promise<void> {
    for (;;) {
      // Everything that follows from what has happened so far.
      await new Promise((resolve) => setImmediate(resolve));
      this.#timers.sort((a, b) => a.at - b.at);
      const next = this.#timers.shift();
      if (next === undefined) return;
      this.now = next.at;
      next.wake();
    }
  }
}

interface One {
  readonly source?: string;
  readonly name?: string;
  readonly lane?: Lane;
  /** Milliseconds that the check itself takes. */
  readonly takes: number;
  readonly right?: boolean;
}

/** When each answer was sent, in the order of the requests, which are made at once. */
async function leaving(all: readonly One[], time = new VirtualTime()) {
  const checks = createPacedChecks(time);
  const began: number[] = [];
  const left: (number | 'busy')[] = [];
  all.forEach(({ source = 's', name, lane = 'portal', takes, right = false }, index) => {
    const work = async () => {
      began[index] = time.now;
      await time.sleep(takes);
      return right ? ('right' as const) : ('wrong' as const);
    };
    void checks
      .run({ source, name, lane }, work, (outcome) => outcome === 'right')
      .then((outcome) => {
        left[index] = outcome === 'busy' ? 'busy' : time.now;
      });
  });
  await time.pass();
  return { began, left };
}

const { least } = limits.signInSlot;
const account = { takes: 160 };
const other = { takes: 3 };

describe('password verification', () => {
  for (const count of [1, 8, 24])
    it(`ends at the same time for accounts and for other names, ${count} at once from one source`, async () => {
      const of = (one: One) =>
        leaving(Array.from({ length: count }, (_, n) => ({ ...one, name: `name ${n}` })));
      const [existing, missing] = [await of(account), await of(other)];
      assert.deepEqual(existing.left, missing.left);
      assert.deepEqual(
        existing.left,
        Array.from({ length: count }, (_, n) => (n + 1) * least),
      );
    });

  for (const count of [8, 64])
    it(`ends at the same time from ${count} sources at once, mixed in any way`, async () => {
      const of = (isAccount: (n: number) => boolean) =>
        leaving(
          Array.from({ length: count }, (_, n) => ({
            ...(isAccount(n) ? account : other),
            source: `source ${n}`,
            name: `name ${n}`,
          })),
        );
      const { left } = await of(() => true);
      for (const mix of [() => false, (n: number) => n % 2 === 0, (n: number) => n < count / 2])
        assert.deepEqual((await of(mix)).left, left);
      assert.equal(left.filter((at) => at === least).length, limits.signInSlots.portal);
    });

  it('of one name is sequential, whatever the source', async () => {
    const of = (one: One) =>
      leaving(Array.from({ length: 8 }, (_, n) => ({ ...one, source: `source ${n}`, name: 'carol' })));
    const { left } = await of(account);
    assert.deepEqual(left, (await of(other)).left);
    assert.deepEqual(
      left,
      Array.from({ length: 8 }, (_, n) => (n + 1) * least),
    );
  });

  it('that takes longer than its slot ends at a fixed interval, and extends later slots for all', async () => {
    const slow = { takes: 700, name: 'a' };
    const { left } = await leaving([slow, { ...other, name: 'b' }, { ...slow, name: 'c' }]);
    assert.deepEqual(left, [750, 750 + 1_250, 750 + 2_500]);
  });

  it('returns a right answer at once, and starts the next one', async () => {
    const { left, began } = await leaving([{ ...account, right: true }, other]);
    assert.deepEqual([left[0], began[1]], [account.takes, account.takes]);
  });

  it('of other sources waits for one slot of a source with many requests', async () => {
    const flood = Array.from({ length: 4 }, (_, source) =>
      Array.from({ length: limits.signInWaiting.own }, (_, n) => ({
        ...other,
        source: `flood ${source}`,
        name: `${source} ${n}`,
      })),
    ).flat();
    const { began } = await leaving([...flood, { ...account, source: 'newcomer', name: 'alice' }]);
    assert.ok((began.at(-1) ?? Number.POSITIVE_INFINITY) <= least);
  });

  it('of verified users waits for no stranger, and that of local users for neither', async () => {
    const flood = (lane: Lane) =>
      Array.from({ length: 100 }, (_, n) => ({ ...other, lane, source: `${lane} ${n}`, name: `${n}` }));
    for (const lane of ['verified', 'portal', 'local'] as const) {
      const rest = (['verified', 'portal', 'local'] as const).filter((each) => each !== lane).flatMap(flood);
      const { began } = await leaving([...rest, { ...account, lane, source: 'own' }]);
      assert.equal(began.at(-1), 0, lane);
    }
  });

  it('is refused when too many wait, and the others keep their order', async () => {
    const { all, own } = limits.signInWaiting;
    const { portal } = limits.signInSlots;
    const one = await leaving(Array.from({ length: own + 2 }, () => ({ ...other, right: true })));
    assert.deepEqual(
      one.left.flatMap((at, index) => (at === 'busy' ? [index] : [])),
      [own + 1],
    );
    const many = await leaving(
      Array.from({ length: all + portal + 1 }, (_, n) => ({ ...other, source: `${n}`, name: `${n}` })),
    );
    assert.equal(many.left.at(-1), 'busy');
  });

  it('is not started after too long a wait', async () => {
    const slow = Array.from({ length: 3 }, (_, n) => ({ takes: limits.signInWait, name: `${n}` }));
    const { left, began } = await leaving(slow);
    assert.equal(left[2], 'busy');
    assert.equal(began[2], undefined);
  });

  it('never sends the helper more at a time than it answers', () => {
    const slots = Object.values(limits.signInSlots).reduce((sum, each) => sum + each, 0);
    assert.ok(slots <= limits.passwordChecks);
  });

  it('that fails ends like the others', async () => {
    const time = new VirtualTime();
    const checks = createPacedChecks(time);
    const failing = checks
      .run(
        { lane: 'portal', source: 's', name: 'n' },
        async () => {
          throw new Error('the store');
        },
        () => false,
      )
      .catch(() => time.now);
    await time.pass();
    assert.equal(await failing, least);
  });
});
