import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { createLog } from '../../../daemon/lib/log.ts';
import { createLogAggregator, type LogAggregator } from '../../../daemon/lib/log-aggregator.ts';

describe('a log aggregator', () => {
  let lines: Record<string, unknown>[];
  let logAggregator: LogAggregator;
  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout'] });
    lines = [];
    logAggregator = createLogAggregator(
      createLog((line) => lines.push(JSON.parse(line)), false),
      'unknown-names',
      60_000,
    );
  });
  afterEach(() => mock.timers.reset());

  it('writes one line for any number of events, and none at once', () => {
    for (let each = 0; each < 5_000; each += 1) logAggregator.add(`192.0.2.${each % 7}`);
    assert.deepEqual(lines, []);
    mock.timers.tick(59_999);
    assert.deepEqual(lines, []);
    mock.timers.tick(1);
    assert.deepEqual(lines, [{ level: 'warning', event: 'unknown-names', count: 5_000, sources: 7 }]);
  });

  it('names the source if there is one', () => {
    logAggregator.add('192.0.2.1');
    logAggregator.add('192.0.2.1');
    logAggregator.flush();
    assert.deepEqual(lines, [
      { level: 'warning', event: 'unknown-names', count: 2, sources: 1, source: '192.0.2.1' },
    ]);
  });

  it('starts over after each line, and writes none without events', () => {
    logAggregator.add('a');
    mock.timers.tick(60_000);
    mock.timers.tick(600_000);
    logAggregator.flush();
    assert.equal(lines.length, 1);
    logAggregator.add('b');
    mock.timers.tick(60_000);
    assert.equal(lines.length, 2);
    assert.equal(lines[1]?.count, 1);
    assert.equal(lines[1]?.source, 'b');
  });

  it('does not repeat flushed events at the next timer', () => {
    logAggregator.add('a');
    logAggregator.flush();
    mock.timers.tick(60_000);
    assert.equal(lines.length, 1);
  });

  it('stays small whatever the sources are', () => {
    for (let each = 0; each < 50_000; each += 1) logAggregator.add(`host${each}`);
    logAggregator.flush();
    assert.equal(lines[0]?.count, 50_000);
    assert.ok(Number(lines[0]?.sources) <= 1_000);
  });
});
