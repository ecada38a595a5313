import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { type BoundedLog, boundedLog } from '../../../daemon/lib/bounded-log.ts';
import { createLog } from '../../../daemon/lib/log.ts';
import { limits } from '../../../daemon/limits.ts';

type Line = { readonly event: string; readonly count?: number; readonly [field: string]: unknown };

describe('the log', () => {
  let lines: Line[];
  let log: BoundedLog;
  let now: number;
  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout'] });
    lines = [];
    now = 0;
    log = boundedLog(
      createLog((line) => lines.push(JSON.parse(line)), false),
      () => now,
    );
  });
  afterEach(() => mock.timers.reset());
  const minute = () => {
    now += limits.logRates.interval;
    mock.timers.tick(limits.logRates.interval);
  };
  const total = (wanted: (line: Line) => boolean = () => true) =>
    lines.filter(wanted).reduce((sum, { count = 1 }) => sum + count, 0);

  it('contains few lines of one uid in a minute, whatever they say, and the count of all', () => {
    for (let each = 0; each < 9_000; each += 1) {
      log.info('control-refused', { uid: 1_001, operation: `o${each}` });
      log.warning('protocol-violation', { uid: 1_001, message: `m${each}` });
    }
    minute();
    assert.ok(lines.length < 60, `${lines.length} lines`);
    assert.equal(total(), 18_000);
    assert.deepEqual(lines.at(-1), {
      level: 'warning',
      event: 'protocol-violation',
      uid: 1_001,
      message: 'm8999',
      count: lines.at(-1)?.count,
    });
  });

  it('keeps the lines of others', () => {
    for (let each = 0; each < 9_000; each += 1) log.info('control-refused', { uid: 1_001 });
    const before = lines.length;
    log.info('control-refused', { uid: 1_002 });
    log.error('store-trouble', {});
    assert.equal(lines.length, before + 2);
  });

  it('is bounded if a user has thousands of uids, or an address a /64', () => {
    for (let uid = 0; uid < 20_000; uid += 1) log.warning('protocol-violation', { uid });
    for (let each = 0; each < 20_000; each += 1)
      log.warning('connection-refused', { address: `2001:db8::${each.toString(16)}` });
    minute();
    const { ofAll, ofAddress, counted } = limits.logRates;
    assert.ok(lines.length <= ofAll.burst + ofAddress.burst + counted + 10, `${lines.length} lines`);
    assert.equal(
      total(({ event }) => event === 'protocol-violation'),
      20_000,
    );
    assert.equal(
      total(({ event }) => event === 'connection-refused'),
      20_000,
    );
  });

  it('is bounded for lines that name no party', () => {
    for (let each = 0; each < 5_000; each += 1) log.error('validation-unavailable', { why: 'x' });
    minute();
    assert.ok(lines.length <= limits.logRates.ofEvent.burst + 1);
    assert.equal(total(), 5_000);
  });

  it('reports counts when the program ends', () => {
    for (let each = 0; each < 500; each += 1) log.info('control-refused', { uid: 7 });
    log.flush();
    assert.equal(total(), 500);
    minute();
    assert.equal(total(), 500);
  });
});
