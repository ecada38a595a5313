import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answerFormatOf, isAccepted } from '../../../daemon/factors/answers/answer-format.ts';
import type { AnswerFormat, FactorContext, FactorKind } from '../../../daemon/factors/contract.ts';
import type { FactorRecord } from '../../../daemon/factors/kinds.ts';
import { fc } from '../../support/property.ts';

/** An answer as it is typed, and what differs from the fixture's context. */
export interface Attempt {
  readonly answer: string;
  readonly context?: Partial<FactorContext>;
}

/** What a factor provides so that the suite can test it. */
export interface FactorFixture<R extends FactorRecord> {
  readonly factor: Omit<FactorKind<R>, 'importing' | 'enrolling'>;
  readonly record: R;
  readonly context: FactorContext;
  /** Every answer that is right for `record` in `context`, the one for "now" first. */
  readonly right: readonly [string, ...string[]];
  /** In the right format, and never right. */
  readonly wrong: string;
  /** Right once `right[0]` was accepted; undefined where that ends the factor. */
  readonly next: Attempt | undefined;
  /** Right before `right[0]` was accepted, from an earlier step; undefined without an order. */
  readonly older: string | undefined;
  /** The limits of acceptance, from both sides. */
  readonly edges: { readonly inside: readonly Attempt[]; readonly outside: readonly Attempt[] };
  /** If nothing is typed: what an answer of this fixture represents. */
  readonly shape?: (answer: string) => AnswerFormat;
  /** With nothing left to accept; undefined where a factor never ends. */
  readonly usedUp: R | undefined;
}

function takesFormat<R extends FactorRecord>(
  { factor, record }: FactorFixture<R>,
  format: AnswerFormat,
): boolean {
  return factor.answerFormats(record).some((accepted) => isAccepted(accepted, format));
}

const digitsInUse: ReadonlySet<number> = new Set([6, 7, 8]);

/**
 * The contract that every factor passes. Excluded is what the verifier does: counting wrong answers, and ignoring
 * disabled and deleted factors.
 */
export function factorContract<R extends FactorRecord>(
  name: string,
  makeFixture: () => FactorFixture<R>,
): void {
  const typed = (answer: string) => answerFormatOf(Buffer.from(answer), digitsInUse);
  const { shape: shaped = typed } = makeFixture();

  /** Every call gets a frozen record: verify MUST NOT mutate its arguments. */
  const attempt = (fixture: FactorFixture<R>, record: R, { answer, context }: Attempt) =>
    fixture.factor.verify(deepFreeze(record), shaped(answer), { ...fixture.context, ...context });

  const accepted = (fixture: FactorFixture<R>, record: R, tried: Attempt): R => {
    const verdict = attempt(fixture, record, tried);
    assert.equal(verdict.outcome, 'accepted', `${tried.answer} should have been accepted`);
    return verdict.outcome === 'accepted' ? verdict.record : record;
  };

  const refused = (fixture: FactorFixture<R>, record: R, tried: Attempt): string => {
    const verdict = attempt(fixture, record, tried);
    assert.equal(verdict.outcome, 'refused', `${tried.answer} should have been refused`);
    return verdict.outcome === 'refused' ? verdict.reason : '';
  };

  describe(`${name}: the contract of all factors`, () => {
    it('accepts each right answer, and the next ones', () => {
      const fixture = makeFixture();
      for (const answer of fixture.right) accepted(fixture, fixture.record, { answer });
      const after = accepted(fixture, fixture.record, { answer: fixture.right[0] });
      if (fixture.next !== undefined) accepted(fixture, after, fixture.next);
    });

    it('refuses an answer against the record that accepted it', () => {
      const fixture = makeFixture();
      for (const answer of fixture.right) {
        const after = accepted(fixture, fixture.record, { answer });
        assert.notDeepEqual(after, fixture.record);
        const verdict = attempt(fixture, fixture.record, { answer });
        // The commit removes the record: there is nothing left to verify against.
        if (verdict.outcome === 'accepted' && verdict.gone === true) continue;
        assert.notEqual(refused(fixture, after, { answer }), 'clock');
      }
    });

    it('still refuses it after the next one was accepted', () => {
      const fixture = makeFixture();
      const after = accepted(fixture, fixture.record, { answer: fixture.right[0] });
      if (fixture.next === undefined) return;
      const later = accepted(fixture, after, fixture.next);
      refused(fixture, later, { answer: fixture.right[0] });
      refused(fixture, later, { ...fixture.next, answer: fixture.right[0] });
    });

    it('refuses answers older than the last accepted one', () => {
      const fixture = makeFixture();
      if (fixture.older === undefined) return;
      accepted(fixture, fixture.record, { answer: fixture.older });
      const after = accepted(fixture, fixture.record, { answer: fixture.right[0] });
      refused(fixture, after, { answer: fixture.older });
    });

    it('refuses a wrong answer as wrong', () => {
      const fixture = makeFixture();
      assert.equal(refused(fixture, fixture.record, { answer: fixture.wrong }), 'wrong');
    });

    it('accepts up to its limits and nothing beyond', () => {
      const fixture = makeFixture();
      for (const tried of fixture.edges.inside) accepted(fixture, fixture.record, tried);
      for (const tried of fixture.edges.outside) refused(fixture, fixture.record, tried);
    });

    it('keeps the identity of the factor, and records when it was used', () => {
      const fixture = makeFixture();
      const after = accepted(fixture, fixture.record, { answer: fixture.right[0] });
      const { id, kind, name: label, created, enabled } = fixture.record;
      assert.deepEqual(
        { id: after.id, kind: after.kind, name: after.name, created: after.created, enabled: after.enabled },
        { id, kind, name: label, created, enabled },
      );
      assert.equal(after.lastUsed, fixture.context.now);
    });

    it('reports whether it is usable, enabled or not', () => {
      const fixture = makeFixture();
      assert.equal(fixture.factor.usable(fixture.record, fixture.context.now), true);
      assert.equal(fixture.factor.usable({ ...fixture.record, enabled: false }, fixture.context.now), true);
      if (fixture.usedUp === undefined) return;
      assert.equal(fixture.factor.usable(fixture.usedUp, fixture.context.now), false);
      for (const answer of fixture.right) refused(fixture, fixture.usedUp, { answer });
    });

    it('accepts only the format of its own answers', () => {
      const fixture = makeFixture();
      const takes = (answer: string) => takesFormat(fixture, shaped(answer));
      assert.equal(takes(fixture.right[0]), true);
      assert.equal(takes(fixture.wrong), true);
      const takesTyped = (answer: string) => takesFormat(fixture, typed(answer));
      for (const answer of ['', 'hunter2', '12345', '1234567890', 'c'.repeat(32)])
        assert.equal(takesTyped(answer), false);
      const others = [
        '123456',
        '1234567',
        '12345678',
        '123 456 789',
        '0123-4567-89ab-cdef',
        '23456-789ab-cdefg-hjkmn',
        `vvcccccccclb${'c'.repeat(32)}`,
      ];
      assert.deepEqual(
        others.filter(takesTyped).map((answer) => answer.length),
        shaped === typed ? [fixture.right[0].length] : [],
      );
    });

    it('neither throws nor accepts for any bytes', () => {
      const fixture = makeFixture();
      const right = new Set(fixture.right.map((answer) => textOf(shaped(answer))));
      const record = deepFreeze(fixture.record);
      const digit = fc.constantFrom(...'0123456789');
      const bytes = fc.oneof(
        fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array)),
        fc.array(digit, { minLength: 5, maxLength: 9 }).map((digits) => Buffer.from(digits.join(''))),
        anyText(0, 64).map((text) => Buffer.from(text)),
      );
      fc.assert(
        fc.property(bytes, (answer) => {
          const shape = answerFormatOf(answer, digitsInUse);
          const { outcome } = fixture.factor.verify(record, shape, fixture.context);
          return (outcome === 'accepted') === right.has(textOf(shape));
        }),
        { numRuns: 150 },
      );
    });

    it('neither throws nor accepts for any text in any format', () => {
      const fixture = makeFixture();
      const right = new Set(fixture.right.map((answer) => textOf(shaped(answer))));
      const record = deepFreeze(fixture.record);
      const kind = fc.constantFrom<'code' | 'recovery' | 'legacy-recovery' | 'bypass' | 'yubikey'>(
        'code',
        'recovery',
        'legacy-recovery',
        'bypass',
        'yubikey',
      );
      const text = anyText(6, 8);
      fc.assert(
        fc.property(kind, text, (shapeKind, shapeText) => {
          const shape: AnswerFormat = { kind: shapeKind, text: shapeText };
          return (
            right.has(shapeText) ||
            fixture.factor.verify(record, shape, fixture.context).outcome === 'refused'
          );
        }),
        { numRuns: 150 },
      );
    });
  });
}

function textOf(shape: AnswerFormat): string {
  return 'text' in shape ? `${shape.kind} ${shape.text}` : shape.kind;
}

/** Any 16-bit units, including lone surrogates. */
export function anyText(minLength: number, maxLength: number): fc.Arbitrary<string> {
  return fc
    .array(fc.nat({ max: 0xffff }), { minLength, maxLength })
    .map((units) => String.fromCharCode(...units));
}

export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Buffer.isBuffer(value)) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
