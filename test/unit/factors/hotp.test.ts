import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FactorVerdict, Resync } from '../../../daemon/factors/contract.ts';
import type { HotpRecord } from '../../../daemon/factors/hotp.ts';
import { highestFirstCounter, hotp } from '../../../daemon/factors/hotp.ts';
import { codeAt } from '../../../daemon/factors/otp.ts';
import { fc } from '../../support/property.ts';
import { factorContract } from './contract.ts';
import { contextAt, hotpRecord } from './records.ts';

const counter = 100;
const codeOf = (ahead: number) => codeAt(hotpRecord(), counter + ahead);

function attempt(record: HotpRecord, ahead: number, resync?: Resync): FactorVerdict<HotpRecord> {
  const context = contextAt(0, resync === undefined ? {} : { resync });
  return hotp.verify(record, { kind: 'code', text: codeOf(ahead) }, context);
}

function reasonOf(verdict: FactorVerdict<HotpRecord>): string {
  return verdict.outcome === 'refused' ? verdict.reason : 'accepted';
}

factorContract('hotp', () => ({
  factor: hotp,
  record: hotpRecord({ counter }),
  context: contextAt(1_700_000_000_000),
  right: [codeOf(0), codeOf(1), ...Array.from({ length: 9 }, (_, index) => codeOf(index + 2))],
  wrong: codeOf(11),
  next: { answer: codeOf(1) },
  older: undefined,
  edges: {
    inside: [{ answer: codeOf(0) }, { answer: codeOf(10) }],
    outside: [{ answer: codeOf(-1) }, { answer: codeOf(11) }],
  },
  usedUp: undefined,
}));

describe('hotp: the counter', () => {
  const record = hotpRecord({ counter });

  it('moves to the one after the code, and all passed over are used', () => {
    const verdict = attempt(record, 4);
    assert.equal(verdict.outcome, 'accepted');
    if (verdict.outcome !== 'accepted') return;
    assert.equal(verdict.record.counter, counter + 5);
    for (const ahead of [0, 1, 2, 3, 4]) assert.equal(reasonOf(attempt(verdict.record, ahead)), 'replay');
    assert.equal(reasonOf(attempt(verdict.record, 5)), 'accepted');
  });

  it('knows the last ten used codes as replays, and earlier ones as wrong', () => {
    assert.equal(reasonOf(attempt(record, -1)), 'replay');
    assert.equal(reasonOf(attempt(record, -10)), 'replay');
    assert.equal(reasonOf(attempt(record, -11)), 'wrong');
    assert.equal(reasonOf(attempt(hotpRecord({ counter: 0 }), 0)), 'wrong', 'nothing is before 0');
  });

  it('refuses the digits of a used code even if a later code has the same', () => {
    const first = firstOfTwins();
    const text = codeAt(hotpRecord(), first);
    const verdict = hotp.verify(hotpRecord({ counter: first + 1 }), { kind: 'code', text }, contextAt(0));
    assert.equal(reasonOf(verdict), 'replay');
  });

  it('continues from the highest counter that a factor may start with', () => {
    const last = hotpRecord({ counter: highestFirstCounter });
    const text = codeAt(last, highestFirstCounter);
    const verdict = hotp.verify(last, { kind: 'code', text }, contextAt(0));
    assert.equal(verdict.outcome === 'accepted' && verdict.record.counter, highestFirstCounter + 1);
  });

  it('only ever grows, and accepts no code twice', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -20, max: 30 }), { maxLength: 12 }), (presses) => {
        let current = record;
        const accepted: number[] = [];
        for (const ahead of presses) {
          const verdict = attempt(current, ahead);
          if (verdict.outcome !== 'accepted') continue;
          assert.ok(verdict.record.counter > current.counter);
          current = verdict.record;
          accepted.push(ahead);
        }
        return new Set(accepted).size === accepted.length;
      }),
      { numRuns: 15 },
    );
  });
});

describe('hotp: resynchronisation by two consecutive codes', () => {
  const record = hotpRecord({ counter });
  const resyncOf = (verdict: FactorVerdict<HotpRecord>) =>
    verdict.outcome === 'refused' ? verdict.resync : undefined;

  it('refuses the first as wrong, and accepts the second', () => {
    for (const ahead of [11, 500, 1000]) {
      const first = attempt(record, ahead);
      assert.equal(reasonOf(first), 'wrong');
      const resync = resyncOf(first);
      assert.deepEqual(resync, { factor: record.id, counter: counter + ahead + 1 });
      const second = attempt(record, ahead + 1, resync);
      assert.equal(second.outcome === 'accepted' && second.record.counter, counter + ahead + 2);
    }
  });

  it('searches a thousand codes ahead and no further', () => {
    assert.notEqual(resyncOf(attempt(record, 1000)), undefined);
    assert.equal(resyncOf(attempt(record, 1001)), undefined);
    assert.equal(resyncOf(attempt(record, 5)), undefined, 'within the look-ahead there is nothing to prove');
  });

  it('accepts only the very next code', () => {
    const resync = resyncOf(attempt(record, 500));
    for (const ahead of [499, 500, 502, 600]) assert.equal(reasonOf(attempt(record, ahead, resync)), 'wrong');
    assert.deepEqual(
      resyncOf(attempt(record, 600, resync)),
      { factor: record.id, counter: counter + 601 },
      'which is a first code of its own',
    );
  });

  it('has no effect for another factor, or once the counter has passed it', () => {
    const resync = resyncOf(attempt(record, 500));
    assert.equal(reasonOf(attempt({ ...record, id: 'f2' }, 501, resync)), 'wrong');
    assert.equal(reasonOf(attempt({ ...record, counter: counter + 502 }, 501, resync)), 'replay');
    assert.equal(reasonOf(attempt({ ...record, counter: counter + 520 }, 501, resync)), 'wrong');
  });

  it('does not extend how far ahead a counter can get', () => {
    const beyond = { factor: record.id, counter: counter + 1002 };
    assert.equal(reasonOf(attempt(record, 1002, beyond)), 'wrong');
  });

  it('still accepts a code within the look-ahead', () => {
    const resync = resyncOf(attempt(record, 500));
    assert.equal(reasonOf(attempt(record, 0, resync)), 'accepted');
  });
});

/** A counter of the default seed whose digits repeat within the look-ahead. */
function firstOfTwins(): number {
  const seen = new Map<string, number>();
  for (let candidate = 0; ; candidate += 1) {
    const code = codeAt(hotpRecord(), candidate);
    const earlier = seen.get(code);
    if (earlier !== undefined && candidate - earlier <= 10) return earlier;
    seen.set(code, candidate);
  }
}
