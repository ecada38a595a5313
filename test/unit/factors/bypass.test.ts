import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, it } from 'node:test';
import { answerFormatOf } from '../../../daemon/factors/answers/answer-format.ts';
import { bypass, generateBypassCode, hashBypassCode } from '../../../daemon/factors/bypass.ts';
import { factorContract } from './contract.ts';
import { bypassRecord, contextAt, rotated } from './records.ts';

const from = 1_700_000_000_000;
const until = from + 3_600_000;
const record = bypassRecord('123 456 789', { created: from, until });

const at = (now: number, answer = '123456789') =>
  bypass.verify(record, answerFormatOf(Buffer.from(answer), new Set([6])), contextAt(now)).outcome;

factorContract('bypass', () => ({
  factor: bypass,
  record,
  context: contextAt(from + 1),
  right: ['123 456 789'],
  wrong: '123456780',
  next: undefined,
  older: undefined,
  edges: {
    inside: [
      { answer: '123456789' },
      { answer: '123-456-789' },
      { answer: ' 123456789 ' },
      { answer: '123456789', context: { now: from } },
      { answer: '123456789', context: { now: until - 1 } },
    ],
    outside: [
      { answer: '12345678' },
      { answer: '1234567890' },
      { answer: '12 3456 789' },
      { answer: '123456789', context: { now: from - 1 } },
      { answer: '123456789', context: { now: until } },
    ],
  },
  usedUp: { ...record, until: from },
}));

it('a bypass code is removed when it is accepted', () => {
  const verdict = bypass.verify(record, { kind: 'bypass', text: '123456789' }, contextAt(from));
  assert.ok(verdict.outcome === 'accepted' && verdict.gone === true);
});

describe('a bypass code', () => {
  it('has nine digits, unlike any code of a device, is drawn uniformly, and shown in groups of three', () => {
    const asked: number[] = [];
    const code = generateBypassCode((max) => {
      asked.push(max);
      return asked.length;
    });
    assert.equal(code, '001 002 003');
    assert.deepEqual(asked, [1_000, 1_000, 1_000]);
    for (let each = 0; each < 100; each += 1)
      assert.match(generateBypassCode(randomInt), /^\d{3} \d{3} \d{3}$/);
  });

  it('is void after its end and before its beginning: setting the clock back revives none', () => {
    assert.deepEqual(
      [from - 1, from, until - 1, until].map((now) => at(now)),
      ['refused', 'accepted', 'accepted', 'refused'],
    );
    assert.deepEqual(
      [from - 1, from, until - 1, until].map((now) => bypass.usable(record, now)),
      [false, true, true, false],
    );
  });

  it('is stored only as a hash, under the master key of its time', () => {
    assert.ok(!JSON.stringify(record).includes('123456789'));
    const shape = answerFormatOf(Buffer.from('123456789'), new Set());
    assert.equal(bypass.verify(record, shape, contextAt(from, { keyedHash: rotated })).outcome, 'accepted');
    assert.equal(hashBypassCode('123 456 789', Buffer.alloc(16), rotated).keyId, 'k2');
    assert.equal(
      bypass.verify({ ...record, keyId: 'k2' }, shape, contextAt(from, { keyedHash: rotated })).outcome,
      'refused',
    );
  });
});
