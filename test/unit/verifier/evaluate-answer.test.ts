import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FactorRecord } from '../../../daemon/factors/kinds.ts';
import {
  type Evaluation,
  type EvaluationInput,
  evaluateAnswer,
  mayBeAnAnswer,
} from '../../../daemon/verifier/evaluate-answer.ts';
import { hotp, totp } from '../../support/codes.ts';
import { contextAt, hotpRecord, recoveryRecord, totpRecord } from '../factors/records.ts';

const now = Date.UTC(2026, 5, 15, 12);
const seeds = { six: Buffer.alloc(20, 1), eight: Buffer.alloc(20, 2), counter: Buffer.alloc(20, 3) };
const key = 'abcde-fghjk-mnpqr-stuvw';
const another = '22222-33333-44444-55555';

const six = totpRecord({ id: 'six', secret: seeds.six.toString('base64') });
const eight = totpRecord({ id: 'eight', secret: seeds.eight.toString('base64'), digits: 8 });
const counter = hotpRecord({ id: 'counter', secret: seeds.counter.toString('base64') });
const keys = { ...recoveryRecord([key]), id: 'keys' };

function ask(
  answer: string,
  factors: readonly FactorRecord[],
  more: Partial<EvaluationInput> = {},
): Evaluation {
  return evaluateAnswer({
    answer: Buffer.from(answer),
    factors,
    where: 'whole',
    codesLocked: false,
    context: contextAt(now),
    ...more,
  });
}
const sixCode = totp(seeds.six, { at: now });
const eightCode = totp(seeds.eight, { at: now, digits: 8 });
const press = (at: number): string => hotp(seeds.counter, at);
const wrongSix = '000000';
assert.ok(![-1, 0, 1].some((step) => totp(seeds.six, { at: now, step }) === wrongSix));

function accepted(evaluation: Evaluation): Evaluation & { outcome: 'accepted' } {
  assert.ok(evaluation.outcome === 'accepted', JSON.stringify(evaluation));
  return evaluation;
}
function refused(evaluation: Evaluation): Evaluation & { outcome: 'refused' } {
  assert.ok(evaluation.outcome === 'refused', JSON.stringify(evaluation));
  return evaluation;
}

describe('one answer evaluated against the factors of an account', () => {
  it('changes only the factor that it matches', () => {
    const all = [six, eight, counter, keys];
    for (const [answer, id] of [
      [sixCode, 'six'],
      [eightCode, 'eight'],
      [press(0), 'counter'],
      [key, 'keys'],
      [key.toUpperCase().replaceAll('-', ''), 'keys'],
    ] as const) {
      const { factor } = accepted(ask(answer, all));
      assert.equal(factor.id, id);
      assert.notDeepEqual(
        factor,
        all.find((each) => each.id === id),
        'its mark has moved',
      );
    }
  });

  it('matches no factor that was not passed', () => {
    assert.equal(ask(sixCode, []).outcome, 'unknown-format');
    assert.equal(ask(key, [six]).outcome, 'unknown-format');
    assert.equal(ask(sixCode, [eight]).outcome, 'unknown-format');
    assert.equal(ask(sixCode, [keys]).outcome, 'unknown-format');
  });

  it('is not an answer if it has no known format', () => {
    for (const answer of [
      '',
      ' ',
      'hunter2',
      '12345',
      '1234567',
      '123456789',
      'abcde-fghjk',
      '12345²',
      '12 34 56',
    ])
      assert.equal(ask(answer, [six, eight, keys]).outcome, 'unknown-format', answer);
    assert.equal(ask('cccccccccccbcjdifctrndncchkftchjlnbhvhtugdlj', [six, keys]).outcome, 'unknown-format');
  });

  it('is one failure, however many factors it was verified against', () => {
    const evaluation = refused(ask(wrongSix, [six, { ...six, id: 'other' }, counter]));
    assert.equal(evaluation.reason, 'wrong');
    assert.equal(evaluation.countsAsCode, true);
  });

  it('does not count as a wrong code if it is a wrong recovery key', () => {
    const evaluation = refused(ask(another, [six, keys]));
    assert.deepEqual([evaluation.reason, evaluation.countsAsCode], ['wrong', false]);
  });

  it('is reported as a replay, even if another factor reports wrong', () => {
    const spent = accepted(ask(sixCode, [six])).factor;
    for (const factors of [
      [spent, counter],
      [counter, spent],
    ])
      assert.equal(refused(ask(sixCode, factors)).reason, 'replay');
  });

  it('reports a clock before the last-used counter only if every factor does, and then counts as no failure', () => {
    const ahead: FactorRecord = { ...six, lastStep: Math.floor(now / 30_000) + 1_000 };
    assert.equal(refused(ask(wrongSix, [ahead])).reason, 'clock');
    assert.equal(refused(ask(wrongSix, [ahead, counter])).reason, 'wrong');
    const spent = accepted(ask(press(0), [counter])).factor;
    assert.equal(refused(ask(press(0), [ahead, spent])).reason, 'replay');
  });

  it('is wrong if it is a code far ahead, and names what resynchronises; the next consecutive one does', () => {
    const first = refused(ask(press(500), [six, counter]));
    assert.deepEqual(first.resync, { factor: 'counter', counter: 501 });
    const { resync } = first;
    assert.ok(resync !== undefined);
    const second = accepted(ask(press(501), [six, counter], { context: contextAt(now, { resync }) }));
    assert.equal(second.factor.id, 'counter');
    assert.equal(ask(press(502), [counter], { context: contextAt(now, { resync }) }).outcome, 'refused');
    assert.equal(ask(press(501), [counter]).outcome, 'refused', 'and by itself it is wrong');
  });
});

describe('during a lockout of typed codes', () => {
  it('no code is verified, right or wrong, and no record is returned', () => {
    for (const answer of [sixCode, wrongSix, press(0)])
      assert.deepEqual(ask(answer, [six, counter, keys], { codesLocked: true }), { outcome: 'codes-locked' });
  });

  it('a recovery key is verified as usual', () => {
    assert.equal(accepted(ask(key, [six, keys], { codesLocked: true })).factor.id, 'keys');
    assert.equal(refused(ask(another, [six, keys], { codesLocked: true })).reason, 'wrong');
  });

  it('an answer of unknown format still has only that reason', () => {
    assert.equal(ask('hunter2', [six, keys], { codesLocked: true }).outcome, 'unknown-format');
  });

  it('also after a password', () => {
    const locked = { codesLocked: true, where: 'tail' } as const;
    assert.equal(ask(`hunter2${sixCode}`, [six, keys], locked).outcome, 'codes-locked');
    assert.equal(accepted(ask(`hunter2${key}`, [six, keys], locked)).length, key.length);
  });
});

describe('a password and a factor in one answer', () => {
  const tail = { where: 'tail' } as const;

  it('the length is that of the factor as it was typed', () => {
    for (const [answer, factors, length] of [
      [`hunter2${sixCode}`, [six], 6],
      [`hunter2${eightCode}`, [eight], 8],
      [`hunter2${press(0)}`, [counter], 6],
      [`hunter2${key}`, [keys], 23],
      [`hunter2${key.replaceAll('-', '')}`, [keys], 20],
      [`hunter2${key.toUpperCase()}`, [keys], 23],
      [sixCode, [six], 6],
      [`pässwörd 😀${sixCode}`, [six], 6],
    ] as const)
      assert.equal(accepted(ask(answer, factors, tail)).length, length, answer);
  });

  it('a password may end in digits, or in symbols of a recovery key', () => {
    const all = [six, eight, counter, keys];
    for (const password of [
      '12',
      '123456',
      'a12345678',
      '99999999999999',
      'abcde-fghjk-mnpqr-',
      'abcdefghjkmnpqrstuvw',
    ]) {
      for (const [answer, length] of [
        [sixCode, 6],
        [eightCode, 8],
        [press(3), 6],
        [key, 23],
      ] as const)
        assert.equal(accepted(ask(password + answer, all, tail)).length, length, password + answer);
    }
  });

  it('the longest correct end is used', () => {
    const within = totpRecord({ id: 'within', secret: seeds.eight.toString('base64') });
    // The last six digits of the eight-digit code equal the six-digit one of the same seed.
    assert.ok(eightCode.endsWith(totp(seeds.eight, { at: now })));
    const evaluation = accepted(ask(`hunter2${eightCode}`, [within, eight], tail));
    assert.deepEqual([evaluation.factor.id, evaluation.length], ['eight', 8]);
  });

  it('a wrong end is one failure, though it was verified in every length', () => {
    const evaluation = refused(ask('hunter200000000', [six, eight, counter], tail));
    assert.deepEqual([evaluation.reason, evaluation.countsAsCode], ['wrong', true]);
  });

  it('only a password is not an answer', () => {
    for (const answer of ['hunter2', '', '12345', 'correct horse battery'])
      assert.equal(ask(answer, [six, keys], tail).outcome, 'unknown-format', answer);
  });

  it('only the end counts: a code before the password does not', () => {
    assert.equal(ask(`${sixCode}hunter2`, [six], tail).outcome, 'unknown-format');
    assert.equal(ask(`${sixCode}.`, [six], tail).outcome, 'unknown-format');
  });

  it('spaces around the code are not part of the password', () => {
    const [first, second] = [sixCode.slice(0, 3), sixCode.slice(3)];
    for (const [answer, length] of [
      [`hunter2 ${sixCode}`, 7],
      [`hunter2${first} ${second}`, 7],
      [`hunter2${sixCode} `, 7],
      [`hunter2${sixCode}\r`, 7],
      [`hunter2  ${sixCode}`, 7],
    ] as const)
      assert.equal(accepted(ask(answer, [six], tail)).length, length, JSON.stringify(answer));
  });

  it('a previous code in another spelling is a replay', () => {
    const spent = accepted(ask(sixCode, [six])).factor;
    const wide = [...sixCode].map((digit) => String.fromCodePoint(Number(digit) + 0xff10)).join('');
    for (const answer of [wide, `${sixCode}\r`, `${sixCode.slice(0, 3)}\u2013${sixCode.slice(3)}`])
      assert.equal(refused(ask(answer, [spent])).reason, 'replay', answer);
  });

  it('a used code after a password is a replay', () => {
    const spent = accepted(ask(`hunter2${sixCode}`, [six], tail)).factor;
    assert.equal(refused(ask(`hunter2${sixCode}`, [spent], tail)).reason, 'replay');
  });
});

describe('the test whether an answer has the format of any factor', () => {
  it('is true for every kind, and false for other text', () => {
    for (const answer of [
      '123456',
      '1234567',
      '12345678',
      '123 456',
      '123 456 789',
      key,
      key.toUpperCase(),
      '0123-4567-89ab-cdef',
    ])
      assert.ok(mayBeAnAnswer(Buffer.from(answer), 'whole'), answer);
    for (const answer of ['', 'hunter2', '12345', '1234567890', 'hunter2123456'])
      assert.ok(!mayBeAnAnswer(Buffer.from(answer), 'whole'), answer);
    for (const answer of [
      'hunter2123456',
      `hunter2${key}`,
      '123456',
      'hunter2123 456 789',
      'hunter20123-4567-89ab-cdef',
    ])
      assert.ok(mayBeAnAnswer(Buffer.from(answer), 'tail'), answer);
    for (const answer of ['', 'hunter2', '12345'])
      assert.ok(!mayBeAnAnswer(Buffer.from(answer), 'tail'), answer);
  });

  it('is never false for an answer that a factor would accept', () => {
    for (const where of ['whole', 'tail'] as const)
      for (const [answer, factor] of [
        [sixCode, six],
        [eightCode, eight],
        [press(0), counter],
        [key, keys],
      ] as const)
        assert.equal(
          ask(answer, [factor], { where }).outcome === 'accepted',
          mayBeAnAnswer(Buffer.from(answer), where),
        );
  });
});

describe('judging', () => {
  it('changes none of its arguments, including the answer', () => {
    const answer = Buffer.from(`hunter2${sixCode}`);
    const factors = [six, counter, keys].map((each) => Object.freeze(structuredClone(each)));
    const before = structuredClone(factors);
    evaluateAnswer({ answer, factors, where: 'tail', codesLocked: false, context: contextAt(now) });
    assert.deepEqual(factors, before);
    assert.equal(answer.toString(), `hunter2${sixCode}`);
  });
});
