import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { limits } from '../../../daemon/limits.ts';
import { createRateLimiter, type RateLimiter } from '../../../daemon/verifier/rate-limiter.ts';

const name = { burst: 3, forgetOneIn: 1_000 };
const source = { burst: 6, forgetOneIn: 500 };

function started(options: { entries?: number } = {}): {
  rateLimiter: RateLimiter;
  pass: (ms: number) => void;
} {
  let now = 1_000_000;
  const rateLimiter = createRateLimiter({
    hash: (text) => createHash('sha256').update(text).digest('hex'),
    monotonic: () => now,
    entries: options.entries ?? 1_000,
    name,
    source,
  });
  return {
    rateLimiter,
    pass: (ms) => {
      now += ms;
    },
  };
}

function fail(rateLimiter: RateLimiter, times: number, who: string | undefined, from: string): void {
  for (let each = 0; each < times; each += 1) rateLimiter.failed(who, from);
}

describe('the rate limiter of unverified failures', () => {
  it('allows a name exactly its burst of failures', () => {
    const { rateLimiter } = started();
    fail(rateLimiter, 2, 'alice', '192.0.2.1');
    assert.ok(rateLimiter.allows('alice', '192.0.2.2'));
    fail(rateLimiter, 1, 'alice', '192.0.2.1');
    assert.ok(!rateLimiter.allows('alice', '192.0.2.2'), 'from elsewhere too');
    assert.ok(rateLimiter.allows('bob', '192.0.2.1'), 'another name is let through');
  });

  it('allows a source exactly its burst of failures', () => {
    const { rateLimiter } = started();
    for (let each = 0; each < 5; each += 1) rateLimiter.failed(`name${each}`, '192.0.2.1');
    assert.ok(rateLimiter.allows('fresh', '192.0.2.1'));
    rateLimiter.failed('name5', '192.0.2.1');
    assert.ok(!rateLimiter.allows('fresh', '192.0.2.1'));
    assert.ok(rateLimiter.allows('fresh', '192.0.2.2'));
  });

  it('forgets one failure at a time, and rejected attempts add none', () => {
    const { rateLimiter, pass } = started();
    fail(rateLimiter, 50, 'alice', '192.0.2.1');
    pass(999);
    assert.ok(!rateLimiter.allows('alice', '192.0.2.9'));
    pass(1);
    assert.ok(rateLimiter.allows('alice', '192.0.2.9'));
    rateLimiter.failed('alice', '192.0.2.9');
    assert.ok(!rateLimiter.allows('alice', '192.0.2.9'));
    pass(3_000);
    fail(rateLimiter, 2, 'alice', '192.0.2.9');
    assert.ok(rateLimiter.allows('alice', '192.0.2.9'));
  });

  it('is not changed by a query', () => {
    const { rateLimiter } = started();
    fail(rateLimiter, 2, 'alice', '192.0.2.1');
    for (let each = 0; each < 100; each += 1) assert.ok(rateLimiter.allows('alice', '192.0.2.1'));
    assert.equal(rateLimiter.size, 2);
  });

  it('counts only the source without a name', () => {
    const { rateLimiter } = started();
    fail(rateLimiter, 5, undefined, 'uid:1000');
    assert.ok(rateLimiter.allows(undefined, 'uid:1000'));
    rateLimiter.failed(undefined, 'uid:1000');
    assert.ok(!rateLimiter.allows(undefined, 'uid:1000'));
    assert.ok(rateLimiter.allows(undefined, 'uid:1001'));
    assert.equal(rateLimiter.size, 1);
  });

  it('does not take a name for a source of the same text', () => {
    const { rateLimiter } = started();
    fail(rateLimiter, 10, 's:192.0.2.1', '198.51.100.1');
    fail(rateLimiter, 3, '192.0.2.1', '198.51.100.2');
    assert.ok(rateLimiter.allows('alice', '192.0.2.1'));
  });

  it('counts a name in capitals with the same name: where a directory service accepts both, both are one account', () => {
    const { rateLimiter } = started();
    for (const spelled of ['alice', 'Alice', 'ALICE']) rateLimiter.failed(spelled, `from ${spelled}`);
    assert.ok(!rateLimiter.allows('aLICE', '192.0.2.1'));
    rateLimiter.forgive('ALIce', '192.0.2.1');
    assert.ok(rateLimiter.allows('alice', '192.0.2.1'));
  });

  it('treats an IPv6 /64 as one source, however it is written', () => {
    const inside = ['2001:db8:0:1::1', '2001:db8:0:1::', '2001:db8:0:1:2:3:4:5', '2001:db8:0:1:ffff::'];
    for (const other of inside) {
      const { rateLimiter } = started();
      fail(rateLimiter, 6, undefined, '2001:db8:0:1:a:b:c:d');
      assert.ok(!rateLimiter.allows(undefined, other), other);
    }
    const outside = ['2001:db8:0:2::1', '2001:db8::1', '2001:db8:1:1::1', '::1', '192.0.2.1'];
    for (const other of outside) {
      const { rateLimiter } = started();
      fail(rateLimiter, 6, undefined, '2001:db8:0:1:a:b:c:d');
      assert.ok(rateLimiter.allows(undefined, other), other);
    }
  });

  it('is bounded: the least recently used entry is dropped', () => {
    const { rateLimiter } = started({ entries: 10 });
    fail(rateLimiter, 3, 'alice', '192.0.2.1');
    fail(rateLimiter, 3, 'bob', '192.0.2.1');
    for (let each = 0; each < 7; each += 1) rateLimiter.failed(undefined, `198.51.100.${each}`);
    assert.equal(rateLimiter.size, 10);
    rateLimiter.failed('alice', '192.0.2.1');
    rateLimiter.failed(undefined, '203.0.113.1');
    assert.equal(rateLimiter.size, 10);
    assert.ok(!rateLimiter.allows('alice', '203.0.113.9'), 'alice was used a moment ago');
    assert.ok(rateLimiter.allows('bob', '203.0.113.9'), 'bob gave way');
    for (let each = 0; each < 10_000; each += 1) rateLimiter.failed(`name${each}`, `host${each}`);
    assert.equal(rateLimiter.size, 10);
  });

  it('never affects a user who mistypes, and allows an attacker few guesses, with the configured limits', () => {
    assert.ok(limits.unverifiedPerName.burst >= 9, 'three calls of three answers');
    const guessesADay = 86_400_000 / limits.unverifiedPerName.forgetOneIn;
    // Three codes are valid at a time: less than half a percent to guess one in a day.
    assert.ok((3 * guessesADay) / 1_000_000 < 0.01);
  });
});
