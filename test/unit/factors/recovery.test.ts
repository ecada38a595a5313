import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, it } from 'node:test';
import { answerFormatOf, recoveryAlphabet } from '../../../daemon/factors/answers/answer-format.ts';
import { takes } from '../../../daemon/factors/kinds.ts';
import type { RecoveryRecord } from '../../../daemon/factors/recovery.ts';
import {
  generateRecoveryKeys,
  hashRecoveryKeys,
  recovery,
  recoveryKeyCount,
  remainingKeys,
} from '../../../daemon/factors/recovery.ts';
import { fc } from '../../support/property.ts';
import { factorContract } from './contract.ts';
import { contextAt, legacyRecord, recoveryRecord, rotated } from './records.ts';

const keys = generateRecoveryKeys((max) => randomInt(max));
const [first = '', second = '', ...others] = keys;
const record = recoveryRecord(keys);

const verify = (from: RecoveryRecord, answer: string) =>
  recovery.verify(from, answerFormatOf(Buffer.from(answer), new Set([6])), contextAt(0));

factorContract('recovery', () => ({
  factor: recovery,
  record,
  context: contextAt(1_700_000_000_000),
  right: [first, second, ...others],
  wrong: generateRecoveryKeys((max) => randomInt(max))[0] ?? '',
  next: { answer: second },
  older: undefined,
  edges: {
    inside: [
      { answer: first.toUpperCase() },
      { answer: first.replaceAll('-', '') },
      { answer: ` ${first} ` },
    ],
    outside: [{ answer: first.slice(1) }, { answer: `${first}2` }, { answer: `${first.slice(1)}é` }],
  },
  usedUp: { ...record, hashes: record.hashes.map(() => null) },
}));

/** Vectors of proxmox-tfa: this secret, and its hashes of these keys. */
const legacySecret = '0011223344556677';
const legacy = legacyRecord(legacySecret, [
  '6ddff9ef3a11c7a64439faffddf663ac89b4a5e6bf5b14bd7189211ce71003a7',
  null,
  'ba0335a18035b1ecd717bfde48a66f204e2537e47aba11f0511c9846f7cb0bd6',
  '1a94f0caed7e6d27a7895be2fc1c576dfbaa12570be92342edfd7d494cf1a203',
]);

factorContract('recovery, a legacy set', () => ({
  factor: recovery,
  record: legacy,
  context: contextAt(1_700_000_000_000),
  right: ['0123-4567-89ab-cdef', 'ffff-ffff-ffff-ffff', '0000-0000-0000-0000'],
  wrong: '0123-4567-89ab-cdee',
  next: { answer: 'ffff-ffff-ffff-ffff' },
  older: undefined,
  edges: {
    inside: [
      { answer: '0123-4567-89AB-CDEF' },
      { answer: '0123456789abcdef' },
      { answer: '0123 4567 89ab cdef' },
    ],
    outside: [{ answer: '0123-4567-89ab-cde' }, { answer: '0123-4567-89ab-cdef0' }],
  },
  usedUp: { ...legacy, hashes: legacy.hashes.map(() => null) },
}));

describe('a legacy recovery set', () => {
  it('keeps nothing of the file: its hashes are hashed again under our key', () => {
    const kept = JSON.stringify(legacy);
    assert.ok(!kept.includes('6ddff9ef3a11c7a6'));
    const raw = Buffer.from('6ddff9ef3a11c7a64439faffddf663ac89b4a5e6bf5b14bd7189211ce71003a7', 'hex');
    assert.ok(!kept.includes(raw.toString('base64')));
    const others = contextAt(0, { keyedHash: { keyId: 'k1', of: () => Buffer.alloc(32) } });
    const shape = answerFormatOf(Buffer.from('0123-4567-89ab-cdef'), new Set());
    assert.equal(recovery.verify(legacy, shape, others).outcome, 'refused');
  });

  it("accepts no key in the format of Sallyport's own keys, and vice versa", () => {
    const ours = answerFormatOf(Buffer.from(first), new Set());
    const theirs = answerFormatOf(Buffer.from('0123-4567-89ab-cdef'), new Set());
    assert.deepEqual([takes(legacy, ours), takes(record, theirs)], [false, false]);
    assert.equal(recovery.verify(record, theirs, contextAt(0)).outcome, 'refused');
  });

  it('accepts entries in upper or lower case, and secrets unchanged', () => {
    const upper = legacyRecord(legacySecret, [
      '6DDFF9EF3A11C7A64439FAFFDDF663AC89B4A5E6BF5B14BD7189211CE71003A7',
    ]);
    assert.equal(verify(upper, '0123-4567-89ab-cdef').outcome, 'accepted');
    assert.equal(
      verify({ ...upper, legacy: { scheme: 'proxmox', secret: '00' } }, '0123-4567-89ab-cdef').outcome,
      'refused',
    );
  });
});

describe('recovery keys', () => {
  it('are ten, all different, each of at least 80 bits in unambiguous symbols', () => {
    assert.equal(keys.length, recoveryKeyCount);
    assert.equal(new Set(keys).size, 10);
    for (const key of keys) assert.match(key, /^[2-9a-hjkmnp-z]{5}(-[2-9a-hjkmnp-z]{5}){3}$/);
    assert.equal(new Set(recoveryAlphabet).size, recoveryAlphabet.length);
    assert.ok(20 * Math.log2(recoveryAlphabet.length) >= 80);
    for (const lookalike of '01ilo') assert.ok(!recoveryAlphabet.includes(lookalike));
  });

  it('use the whole alphabet, as the random source determines', () => {
    const asked: number[] = [];
    const drawn = generateRecoveryKeys((max) => {
      asked.push(max);
      return asked.length % max;
    });
    assert.deepEqual(new Set(asked), new Set([recoveryAlphabet.length]));
    assert.equal(new Set(drawn.join('').replaceAll('-', '')).size, recoveryAlphabet.length);
  });

  it('are stored only as hashes', () => {
    const kept = JSON.stringify(record);
    for (const key of keys) {
      assert.ok(!kept.includes(key) && !kept.includes(key.replaceAll('-', '')));
      assert.ok(!kept.includes(Buffer.from(key.replaceAll('-', '')).toString('base64').slice(0, 20)));
    }
  });

  it('each work once, in any order, until none is left', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...keys], { minLength: keys.length }), (order) => {
        let current = record;
        for (const [index, key] of order.entries()) {
          const verdict = verify(current, key);
          assert.equal(verdict.outcome, 'accepted');
          if (verdict.outcome !== 'accepted') return;
          current = verdict.record;
          assert.equal(remainingKeys(current), 9 - index);
          assert.equal(verify(current, key).outcome, 'refused');
        }
        assert.equal(recovery.usable(current, 0), false);
      }),
      { numRuns: 20 },
    );
  });

  it('keep their position when another key is used', () => {
    const verdict = verify(record, others[3] ?? '');
    assert.equal(verdict.outcome, 'accepted');
    if (verdict.outcome !== 'accepted') return;
    const expected = record.hashes.map((hash, index) => (index === 5 ? null : hash));
    assert.deepEqual(verdict.record.hashes, expected);
  });

  it('of another set, or with one symbol changed, are wrong', () => {
    const other = recoveryRecord(generateRecoveryKeys((max) => randomInt(max)));
    for (const key of keys) assert.equal(verify(other, key).outcome, 'refused');
    const changed = `${first.slice(0, -1)}${first.endsWith('2') ? '3' : '2'}`;
    assert.deepEqual(verify(record, changed), { outcome: 'refused', reason: 'wrong' });
  });

  it('are accepted after a rotation: a set knows the master key of its hashes', () => {
    const shape = answerFormatOf(Buffer.from(first), new Set());
    const context = contextAt(0, { keyedHash: rotated });
    assert.equal(recovery.verify(record, shape, context).outcome, 'accepted');
    assert.equal(recovery.verify({ ...record, keyId: 'k2' }, shape, context).outcome, 'refused');
    assert.equal(hashRecoveryKeys(keys, Buffer.alloc(16), rotated).keyId, 'k2');
  });

  it('never match a used key, whatever the hash', () => {
    const usedUp = { ...record, hashes: record.hashes.map(() => null) };
    const zeros = contextAt(0, { keyedHash: { keyId: 'k1', of: () => Buffer.alloc(32) } });
    const shape = answerFormatOf(Buffer.from(first), new Set());
    assert.equal(recovery.verify(usedUp, shape, zeros).outcome, 'refused');
  });

  it('are refused without a crash if a hash in the record has another length', () => {
    const odd = { ...record, hashes: record.hashes.map(() => 'AAAA') };
    assert.equal(verify(odd, first).outcome, 'refused');
  });
});
