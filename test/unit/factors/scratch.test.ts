import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answerFormatOf } from '../../../daemon/factors/answers/answer-format.ts';
import { isScratchCode, remainingCodes, scratch } from '../../../daemon/factors/scratch.ts';
import { factorContract } from './contract.ts';
import { contextAt, scratchRecord } from './records.ts';

const codes = ['10000000', '99999999', '23456789', '87654321', '55555555'] as const;
const record = scratchRecord(codes);

factorContract('scratch', () => ({
  factor: scratch,
  record,
  context: contextAt(1_700_000_000_000),
  right: codes,
  wrong: '12345678',
  next: { answer: codes[1] },
  older: undefined,
  edges: {
    inside: [{ answer: '1000 0000' }, { answer: '9999-9999' }, { answer: ' 23456789 ' }],
    outside: [{ answer: '1000000' }, { answer: '0000000' }, { answer: '00000000' }],
  },
  usedUp: { ...record, hashes: record.hashes.map(() => null) },
}));

describe('scratch codes', () => {
  it('each work once, until none is left', () => {
    let current = record;
    for (const [index, code] of codes.entries()) {
      const shape = answerFormatOf(Buffer.from(code), new Set([8]));
      const verdict = scratch.verify(current, shape, contextAt(0));
      assert.ok(verdict.outcome === 'accepted');
      current = verdict.record;
      assert.equal(remainingCodes(current), codes.length - 1 - index);
      assert.equal(scratch.verify(current, shape, contextAt(0)).outcome, 'refused');
    }
    assert.equal(scratch.usable(current, 0), false);
  });

  it('are stored only as hashes', () => {
    for (const code of codes) assert.ok(!JSON.stringify(record).includes(code));
  });

  it('have the format of google-authenticator: eight digits, of which the first is not 0', () => {
    assert.deepEqual(
      ['10000000', '99999999', '01234567', '1234567', '123456789', '1234567a', ''].map(isScratchCode),
      [true, true, false, false, false, false, false],
    );
  });
});
