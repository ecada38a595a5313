import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createCounts } from '../../../daemon/metrics/counts.ts';
import { createCounter, createHistogram, gauge, textOf } from '../../../daemon/metrics/exposition.ts';
import { instrumentStore } from '../../../daemon/metrics/instrumented.ts';
import { createLockCounts } from '../../../daemon/metrics/locks.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import { fc } from '../../support/property.ts';
import { eventOf, recordOf } from '../../support/store-records.ts';
import { readMetrics } from './parser.ts';

describe('the text', () => {
  it('is valid in the format, whatever the labels contain', () => {
    const text = fc.string({ unit: 'binary', maxLength: 20 });
    fc.assert(
      fc.property(text, text, fc.double({ noNaN: true, noDefaultInfinity: true }), (label, help, value) => {
        const written = textOf([gauge('a_b', help, value, { label })]);
        const [sample] = readMetrics(written).get('a_b')?.samples ?? [];
        assert.equal(sample?.labels.label, label);
        assert.ok(sample?.value === value, `${sample?.value} ${value}`);
      }),
    );
  });

  it('has consistent histograms', () => {
    const histogram = createHistogram('seconds', 'how long');
    for (const value of [0, 0.001, 0.0011, 0.3, 99]) histogram.observe(value);
    const read = readMetrics(textOf([histogram.family()])).get('seconds');
    const at = (le: string) => read?.samples.find(({ labels }) => labels.le === le)?.value;
    assert.deepEqual([at('0.001'), at('0.0025'), at('0.5'), at('10'), at('+Inf')], [2, 3, 4, 4, 5]);
  });

  it('is rejected by the parser of this test if it is invalid', () => {
    const head = '# HELP a b\n# TYPE a gauge\n';
    for (const bad of [
      `${head}a 1`,
      `${head}a{x="1"y="2"} 1\n`,
      `${head}a{x="\\q"} 1\n`,
      `${head}a 1\na 2\n`,
      `${head}b 1\n`,
      `${head}a one\n`,
      'a 1\n',
      '# HELP a b\n# TYPE a counter\na 1\n',
    ])
      assert.throws(() => readMetrics(bad), Error, bad);
  });
});

describe('counters', () => {
  it('have a bounded number of labels, and lose nothing', () => {
    const counter = createCounter('many_total', 'x');
    for (let count = 0; count < 5_000; count += 1)
      counter.add({ realm: `realm${count}`, outcome: 'refused' });
    const { samples } = counter.family();
    assert.ok(samples.length <= 257, `${samples.length}`);
    assert.equal(
      samples.reduce((sum, { value }) => sum + value, 0),
      5_000,
    );
  });

  it('contain no name, no address and nothing typed', () => {
    const counts = createCounts();
    counts.note({
      ...eventOf('secretname'),
      source: '192.0.2.77',
      tty: 'pts/77',
      realm: 'staff',
      service: 'odd',
    });
    counts.note({
      ...eventOf('secretname'),
      kind: 'factor-added',
      factor: { id: 'i', kind: 'totp', name: 'my phone' },
    });
    counts.logAggregator('unknown-name', { add: () => undefined, flush: () => undefined }).add('192.0.2.77');
    const text = textOf(counts.families());
    assert.doesNotMatch(text, /secretname|192\.0\.2\.77|pts\/77|my phone|odd/);
    assert.match(text, /^sallyport_logins_total\{realm="staff",factor="none",outcome="success"\} 1$/m);
    assert.match(text, /^sallyport_rejected_attempts_total\{reason="unknown-name"\} 1$/m);
    readMetrics(text);
  });

  it('distinguish commits, conflicts and failures', async () => {
    const counts = createCounts();
    const inner = new MemoryStore();
    const store = instrumentStore(inner, counts);
    const write = { accounts: [{ account: 'a', version: 0, write: recordOf('a') }], events: [] };
    assert.equal(await store.commit(write), 'committed');
    assert.equal(await store.commit(write), 'conflict');
    inner.breakWrites('full');
    await assert.rejects(store.commit(write));
    const text = textOf(counts.families());
    for (const outcome of ['committed', 'conflict', 'failed'])
      assert.match(text, new RegExp(`^sallyport_commits_total\\{outcome="${outcome}"\\} 1$`, 'm'));
    assert.match(text, /^sallyport_commits_waiting 0$/m);
  });
});

describe('locked accounts', () => {
  it('are counted as they are now, and an expired lockout is not', async () => {
    const store = new MemoryStore();
    const now = 10_000_000;
    const put = (account: string, lock: object) =>
      store.commit({
        accounts: [
          { account, version: 0, write: { ...recordOf(account), lock: { codes: 0, any: 0, ...lock } } },
        ],
        events: [],
      });
    await put('a', { codesLockedAt: 1 });
    await put('b', { lockedAt: now - 500 });
    await put('c', { lockedAt: now - 1_500, codesLockedAt: now });
    await put('d', {});
    const locks = createLockCounts({ store, now: () => now, longest: () => 1_000 });
    assert.deepEqual(await locks.current(), { codes: 2, any: 1, at: now });
  });
});
