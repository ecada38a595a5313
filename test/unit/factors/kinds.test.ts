import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { kindOf, kinds, summaryOf } from '../../../daemon/factors/kinds.ts';
import { projectRoot } from '../../support/project.ts';
import { bypassRecord, hotpRecord, recoveryRecord, scratchRecord, totpRecord } from './records.ts';

const keys = ['22222-22222-22222-22222', '33333-33333-33333-33333'];
const records = [
  totpRecord(),
  hotpRecord(),
  recoveryRecord(keys),
  scratchRecord(['12345678', '23456789']),
  bypassRecord('123 456 789', { created: 0, until: Date.UTC(2026, 0, 2, 3, 4) }),
];

describe('the factor of a record', () => {
  it('has its kind', () => {
    for (const record of records) assert.equal(kindOf(record).kind, record.kind);
  });

  it('counts typed codes and not recovery keys', () => {
    assert.deepEqual(
      records.map((record) => kindOf(record).traits.countsAsCode),
      [true, true, false, true, true],
    );
  });
});

describe('the summary of a record', () => {
  it('is a short description', () => {
    const details = [...records, totpRecord({ digits: 8, period: 60, algorithm: 'sha512' })].map(
      (record) => summaryOf(record).detail,
    );
    assert.deepEqual(details, [
      '6 digits, 30 s, SHA-1',
      '6 digits, by counter, SHA-1',
      '2 of 2 left',
      '2 of 2 left, legacy: create recovery keys, then remove this',
      'one login, until 2026-01-02 03:04 UTC',
      '8 digits, 60 s, SHA-512',
    ]);
  });

  it('contains how many recovery keys are left, and when it was used', () => {
    const [, second = null] = recoveryRecord(keys).hashes;
    const used = { ...recoveryRecord(keys), hashes: [null, second], lastUsed: 5 };
    const { detail, left, lastUsed } = summaryOf(used);
    assert.deepEqual({ detail, left, lastUsed }, { detail: '1 of 2 left', left: 1, lastUsed: 5 });
  });

  it('contains nothing that helps to compute a code', () => {
    const known = ['id', 'kind', 'name', 'created', 'lastUsed', 'enabled', 'detail', 'left', 'until'];
    for (const record of records) {
      const summary = summaryOf({ ...record, lastUsed: 1 });
      for (const key of Object.keys(summary)) assert.ok(known.includes(key), key);
      const text = JSON.stringify(summary);
      assert.ok(!('secret' in record) || !text.includes(record.secret));
      assert.ok(!('salt' in record) || !text.includes(record.salt));
      assert.ok(!('hash' in record && record.hash !== null) || !text.includes(record.hash));
    }
  });
});

describe('each kind', () => {
  it('passes the suite of the contract; an SSH key is never typed', () => {
    const directory = join(projectRoot, 'test/unit/factors');
    const tests = readdirSync(directory).filter((name) => name.endsWith('.test.ts'));
    const all = tests.map((name) => readFileSync(join(directory, name), 'utf8')).join('\n');
    const tested = [...all.matchAll(/^factorContract(?:<\w+>)?\('([^',]+)'/gm)].map(([, name]) => name ?? '');
    const missing = Object.keys(kinds).filter((name) => !tested.includes(name));
    assert.deepEqual(missing, [kinds['ssh-sk'].kind]);
  });
});
