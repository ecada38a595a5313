import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { limits } from '../../../daemon/limits.ts';
import { createRateLimiter, type RateLimiter } from '../../../daemon/verifier/rate-limiter.ts';

const name = { burst: 3, forgetOneIn: 1_000 };
const source = { burst: 6, forgetOneIn: 500 };

function started(options: { entries?: number } = {}): { throttle: RateLimiter; pass: (ms: number) => void } {
  let now = 1_000_000;
  const throttle = createRateLimiter({
    hash: (text) => createHash('sha256').update(text).digest('hex'),
    monotonic: () => now,
    entries: options.entries ?? 1_000,
    name,
    source,
  });
  return {
    throttle,
    pass: (ms) => {
      now += ms;
    },
  };
}

function fail(throttle: RateLimiter, times: number, who: string | undefined, from: string): void {
  for (let each = 0; each < times; each += 1) throttle.failed(who, from);
}

describe('the throttle of unproven failures', () => {
  it('lets a name try as often as its burst says, from both sides', () => {
    const { throttle } = started();
    fail(throttle, 2, 'alice', '192.0.2.1');
    assert.ok(throttle.allows('alice', '192.0.2.2'));
    fail(throttle, 1, 'alice', '192.0.2.1');
    assert.ok(!throttle.allows('alice', '192.0.2.2'), 'from elsewhere too');
    assert.ok(throttle.allows('bob', '192.0.2.1'), 'another name is let through');
  });

  it('lets a source try as often as its burst says, from both sides', () => {
    const { throttle } = started();
    for (let each = 0; each < 5; each += 1) throttle.failed(`name${each}`, '192.0.2.1');
    assert.ok(throttle.allows('fresh', '192.0.2.1'));
    throttle.failed('name5', '192.0.2.1');
    assert.ok(!throttle.allows('fresh', '192.0.2.1'));
    assert.ok(throttle.allows('fresh', '192.0.2.2'));
  });

  it('forgets one failure at a time, and what came while it was full makes it no fuller', () => {
    const { throttle, pass } = started();
    fail(throttle, 50, 'alice', '192.0.2.1');
    pass(999);
    assert.ok(!throttle.allows('alice', '192.0.2.9'));
    pass(1);
    assert.ok(throttle.allows('alice', '192.0.2.9'));
    throttle.failed('alice', '192.0.2.9');
    assert.ok(!throttle.allows('alice', '192.0.2.9'));
    pass(3_000);
    fail(throttle, 2, 'alice', '192.0.2.9');
    assert.ok(throttle.allows('alice', '192.0.2.9'));
  });

  it('asking whether it lets through changes nothing', () => {
    const { throttle } = started();
    fail(throttle, 2, 'alice', '192.0.2.1');
    for (let each = 0; each < 100; each += 1) assert.ok(throttle.allows('alice', '192.0.2.1'));
    assert.equal(throttle.size, 2);
  });

  it('without a name only the source counts', () => {
    const { throttle } = started();
    fail(throttle, 5, undefined, 'uid:1000');
    assert.ok(throttle.allows(undefined, 'uid:1000'));
    throttle.failed(undefined, 'uid:1000');
    assert.ok(!throttle.allows(undefined, 'uid:1000'));
    assert.ok(throttle.allows(undefined, 'uid:1001'));
    assert.equal(throttle.size, 1);
  });

  it('a name that reads like a source is none', () => {
    const { throttle } = started();
    fail(throttle, 10, 's:192.0.2.1', '198.51.100.1');
    fail(throttle, 3, '192.0.2.1', '198.51.100.2');
    assert.ok(throttle.allows('alice', '192.0.2.1'));
  });

  it('a name in capitals has no tries of its own: where a directory takes both, both are one account', () => {
    const { throttle } = started();
    for (const spelled of ['alice', 'Alice', 'ALICE']) throttle.failed(spelled, `from ${spelled}`);
    assert.ok(!throttle.allows('aLICE', '192.0.2.1'));
    throttle.forgive('ALIce', '192.0.2.1');
    assert.ok(throttle.allows('alice', '192.0.2.1'));
  });

  it('takes an IPv6 /64 as one source, however it is written', () => {
    const inside = ['2001:db8:0:1::1', '2001:db8:0:1::', '2001:db8:0:1:2:3:4:5', '2001:db8:0:1:ffff::'];
    for (const other of inside) {
      const { throttle } = started();
      fail(throttle, 6, undefined, '2001:db8:0:1:a:b:c:d');
      assert.ok(!throttle.allows(undefined, other), other);
    }
    const outside = ['2001:db8:0:2::1', '2001:db8::1', '2001:db8:1:1::1', '::1', '192.0.2.1'];
    for (const other of outside) {
      const { throttle } = started();
      fail(throttle, 6, undefined, '2001:db8:0:1:a:b:c:d');
      assert.ok(throttle.allows(undefined, other), other);
    }
  });

  it('is bounded: the entry that was used longest ago gives way', () => {
    const { throttle } = started({ entries: 10 });
    fail(throttle, 3, 'alice', '192.0.2.1');
    fail(throttle, 3, 'bob', '192.0.2.1');
    for (let each = 0; each < 7; each += 1) throttle.failed(undefined, `198.51.100.${each}`);
    assert.equal(throttle.size, 10);
    throttle.failed('alice', '192.0.2.1');
    throttle.failed(undefined, '203.0.113.1');
    assert.equal(throttle.size, 10);
    assert.ok(!throttle.allows('alice', '203.0.113.9'), 'alice was used a moment ago');
    assert.ok(throttle.allows('bob', '203.0.113.9'), 'bob gave way');
    for (let each = 0; each < 10_000; each += 1) throttle.failed(`name${each}`, `host${each}`);
    assert.equal(throttle.size, 10);
  });

  it('a person who mistypes never meets it, and a guesser gets little, by the limits in force', () => {
    assert.ok(limits.throttleName.burst >= 9, 'three calls of three answers');
    const guessesADay = 86_400_000 / limits.throttleName.forgetOneIn;
    // Three codes are good at a time: under a half of a percent to hit one in a day.
    assert.ok((3 * guessesADay) / 1_000_000 < 0.01);
  });
});
