import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FactorContext, FactorVerdict } from '../../../daemon/factors/contract.ts';
import { codeAt } from '../../../daemon/factors/otp.ts';
import type { TotpRecord } from '../../../daemon/factors/totp.ts';
import { totp } from '../../../daemon/factors/totp.ts';
import { fc } from '../../support/property.ts';
import { factorContract } from './contract.ts';
import { contextAt, totpRecord } from './records.ts';

const period = 30;
const step = 55_000_000;
/** In the middle of `step`. */
const now = (step * period + 15) * 1000;

const at = (offset: number) => now + offset * period * 1000;
const codeOf = (offset: number) => codeAt(totpRecord(), step + offset);

/** Verifies the code of the step `offset` away, with the daemon's clock `clock` steps away. */
function attempt(record: TotpRecord, offset: number, clock = 0, skew = 1): FactorVerdict<TotpRecord> {
  return totp.verify(record, { kind: 'code', text: codeOf(offset) }, contextAt(at(clock), { skew }));
}

function reasonOf(verdict: FactorVerdict<TotpRecord>): string {
  return verdict.outcome === 'refused' ? verdict.reason : 'accepted';
}

factorContract('totp', () => ({
  factor: totp,
  record: totpRecord(),
  context: contextAt(now),
  right: [codeOf(0), codeOf(-1), codeOf(1)],
  wrong: codeOf(2),
  next: { answer: codeOf(1), context: { now: at(1) } },
  older: codeOf(-1),
  edges: {
    inside: [
      // The first and the last millisecond at which the code of `step` is within one step.
      { answer: codeOf(0), context: { now: (step - 1) * period * 1000 } },
      { answer: codeOf(0), context: { now: (step + 2) * period * 1000 - 1 } },
      { answer: codeOf(0), context: { skew: 0 } },
      { answer: codeOf(3), context: { skew: 3 } },
    ],
    outside: [
      { answer: codeOf(0), context: { now: (step - 1) * period * 1000 - 1 } },
      { answer: codeOf(0), context: { now: (step + 2) * period * 1000 } },
      { answer: codeOf(1), context: { skew: 0 } },
      { answer: codeOf(-4), context: { skew: 3 } },
    ],
  },
  usedUp: undefined,
}));

describe('totp: the last-used mark', () => {
  it('accepts only a later step, even if the window contains earlier ones', () => {
    const record = totpRecord({ lastStep: step });
    assert.equal(reasonOf(attempt(record, -1)), 'replay');
    assert.equal(reasonOf(attempt(record, 0)), 'replay');
    assert.equal(reasonOf(attempt(record, 1)), 'accepted');
  });

  it('calls a code without a match wrong, also when the present step is used and skew is 0', () => {
    assert.equal(reasonOf(attempt(totpRecord({ lastStep: step }), 7)), 'wrong');
    assert.equal(reasonOf(attempt(totpRecord({ lastStep: step }), 7, 0, 0)), 'wrong');
  });

  it('reports a clock set back when the whole window is below the last-used counter', () => {
    const record = totpRecord({ lastStep: step });
    assert.equal(reasonOf(attempt(record, 0, -120)), 'clock');
    assert.equal(reasonOf(attempt(record, 1, -120)), 'clock');
    assert.equal(reasonOf(attempt(record, -120, -120)), 'clock', 'the code of that hour too');
    assert.equal(reasonOf(attempt(record, 2, -1)), 'wrong', 'the window still reaches the mark');
    assert.equal(reasonOf(attempt(record, 2, -2)), 'clock');
  });

  it('continues by itself once the clock has passed the last-used counter', () => {
    assert.equal(reasonOf(attempt(totpRecord({ lastStep: step }), 1, 1)), 'accepted');
  });

  it('refuses the digits of a used step even if a later step has the same', () => {
    const [first, second] = twinSteps();
    const text = codeAt(totpRecord(), first);
    const context = contextAt(first * period * 1000, { skew: second - first });
    const fresh = totp.verify(totpRecord(), { kind: 'code', text }, context);
    assert.equal(fresh.outcome === 'accepted' && fresh.record.lastStep, second, 'the mark covers both');
    const spent = totpRecord({ lastStep: first });
    assert.equal(reasonOf(totp.verify(spent, { kind: 'code', text }, context)), 'replay');
  });
});

describe('totp: a device with a wrong clock', () => {
  const verified = (text: string, clock: number, more: Partial<FactorContext> = {}) =>
    [{ kind: 'code', text } as const, contextAt(at(clock), { firstFactorVerified: true, ...more })] as const;
  const ask = (record: TotpRecord, offset: number, clock: number, more?: Partial<FactorContext>) =>
    totp.verify(record, ...verified(codeOf(offset), clock, more));
  const resyncOf = (verdict: FactorVerdict) => (verdict.outcome === 'refused' ? verdict.resync : undefined);

  it('is reported with its offset, within an hour, and accepts no single code', () => {
    for (const offset of [-120, -10, -6, -2, 2, 6, 10, 120]) {
      const verdict = ask(totpRecord(), offset, 0);
      assert.ok(verdict.outcome === 'refused' && verdict.reason === 'wrong', String(offset));
      assert.deepEqual(verdict.offset, { factor: totpRecord().id, seconds: offset * period });
      assert.equal(verdict.resync !== undefined, Math.abs(offset) <= 10, String(offset));
    }
    for (const offset of [-121, 121]) {
      const verdict = ask(totpRecord(), offset, 0);
      assert.ok(
        verdict.outcome === 'refused' && verdict.offset === undefined && verdict.resync === undefined,
      );
    }
  });

  it('is reported for no code without a verified first factor', () => {
    assert.deepEqual(attempt(totpRecord(), -6), { outcome: 'refused', reason: 'wrong' });
  });

  it('is accepted after two consecutive codes, and both are used', () => {
    for (const offset of [-9, -6, -2, 2, 6, 9]) {
      const record = totpRecord({ lastOffset: { seconds: -180, at: 1 } });
      const resync = resyncOf(ask(record, offset, 0));
      assert.ok(resync !== undefined);
      const second = ask(record, offset + 1, 1, { resync });
      assert.ok(second.outcome === 'accepted', String(offset));
      assert.deepEqual(
        [second.record.lastStep, second.record.drift, second.record.lastOffset],
        [step + offset + 1, offset, undefined],
      );
      for (const again of [offset, offset + 1])
        assert.equal(ask(second.record, again, 1, { resync }).outcome, 'refused');
      // From now on one code is enough.
      assert.equal(ask(second.record, offset + 2, 2).outcome, 'accepted');
    }
  });

  it('is accepted after nothing else: not the code after next, the same one, or an earlier one', () => {
    const resync = resyncOf(ask(totpRecord(), -6, 0));
    assert.ok(resync !== undefined);
    for (const offset of [-8, -7, -6, -4, -3])
      assert.equal(ask(totpRecord(), offset, 1, { resync }).outcome, 'refused', String(offset));
    const foreign = { ...resync, factor: 'another' };
    assert.equal(ask(totpRecord(), -5, 1, { resync: foreign }).outcome, 'refused');
    assert.equal(
      totp.verify(totpRecord(), { kind: 'code', text: codeOf(-5) }, contextAt(at(1), { resync })).outcome,
      'refused',
      'not where the first factor is not verified',
    );
  });

  it('is not accepted with a used pair, or one whose first code was used', () => {
    const resync = resyncOf(ask(totpRecord(), -6, 0));
    assert.ok(resync !== undefined);
    for (const used of [-6, -5, 0])
      assert.equal(
        ask(totpRecord({ lastStep: step + used }), -5, 1, { resync }).outcome,
        'refused',
        String(used),
      );
    assert.equal(ask(totpRecord({ lastStep: step - 7 }), -5, 1, { resync }).outcome, 'accepted');
    const spent = ask(totpRecord({ lastStep: step - 6 }), -6, 0);
    assert.ok(spent.outcome === 'refused' && spent.offset === undefined && spent.resync === undefined);
  });

  it('is followed only within the limits of drift, whatever the drift is', () => {
    for (const drift of [-10, 0, 10]) {
      const resync = { factor: totpRecord().id, counter: step + 12 };
      assert.equal(ask(totpRecord({ drift }), 12, 0, { resync, skew: 0 }).outcome, 'refused');
    }
  });
});

describe('totp: drift', () => {
  it('moves by at most one step per success, and only towards the device', () => {
    const drifts = [-3, -1, 0, 1, 3].map((offset) => {
      const verdict = attempt(totpRecord(), offset, 0, 3);
      return verdict.outcome === 'accepted' ? verdict.record.drift : undefined;
    });
    assert.deepEqual(drifts, [-1, -1, 0, 1, 1]);
  });

  it('follows a device ten steps off and no further', () => {
    for (const direction of [-1, 1]) {
      let record = totpRecord();
      let offset = 0;
      for (let login = 1; login <= 10; login += 1) {
        offset = direction * login;
        const verdict = attempt(record, offset + 100 * login, 100 * login);
        assert.equal(verdict.outcome, 'accepted', `login ${login}`);
        if (verdict.outcome === 'accepted') record = verdict.record;
        assert.equal(record.drift, offset);
      }
      const eleventh = attempt(record, direction * 11 + 1100, 1100);
      assert.equal(eleventh.outcome === 'accepted' && eleventh.record.drift, direction * 10);
      assert.equal(attempt(record, direction * 12 + 1100, 1100).outcome, 'refused');
    }
  });

  it('never accepts one code twice, whatever clock and order', () => {
    const login = fc.record({
      clock: fc.integer({ min: -5, max: 5 }),
      offset: fc.integer({ min: -8, max: 8 }),
    });
    fc.assert(
      fc.property(fc.array(login, { maxLength: 20 }), (logins) => {
        let record = totpRecord();
        const accepted: number[] = [];
        for (const { clock, offset } of logins) {
          const verdict = attempt(record, offset, clock);
          if (verdict.outcome !== 'accepted') continue;
          assert.ok(verdict.record.lastStep > record.lastStep);
          record = verdict.record;
          accepted.push(offset);
        }
        return new Set(accepted).size === accepted.length;
      }),
      { numRuns: 100 },
    );
  });

  it('verifies the first steps of 1970 without reading before them', () => {
    const text = codeAt(totpRecord(), 0);
    const verdict = totp.verify(totpRecord({ drift: -1 }), { kind: 'code', text }, contextAt(0));
    assert.equal(verdict.outcome === 'accepted' && verdict.record.lastStep, 0);
  });
});

/** Two close steps of the default seed with the same six digits: about one in a thousand windows has some. */
function twinSteps(): readonly [number, number] {
  const seen = new Map<string, number>();
  for (let candidate = step; ; candidate += 1) {
    const code = codeAt(totpRecord(), candidate);
    const earlier = seen.get(code);
    if (earlier !== undefined) return [earlier, candidate];
    seen.set(code, candidate);
  }
}
