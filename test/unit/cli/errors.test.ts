import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CliError, exitStatusOf } from '../../../cli/lib/errors.ts';
import { type ControlCode, httpStatus } from '../../../daemon/api/error-codes.ts';
import { ControlError } from '../../../daemon/client/client.ts';

/** Written independently of the active table; other codes are a plain refusal, 1. */
const expected: Readonly<Record<string, number>> = {
  'bad-request': 2,
  'bad-name': 2,
  'bad-secret': 2,
  'bad-key': 2,
  'no-such-account': 3,
  'no-such-factor': 3,
  'no-such-realm': 3,
  'shutting-down': 4,
  'not-permitted': 77,
  'token-needed': 77,
  'sign-in-refused': 77,
  'password-needed': 77,
  'config-invalid': 78,
  'no-relying-party': 78,
  'metadata-unreadable': 78,
};

for (const code of Object.keys(httpStatus) as ControlCode[])
  test(`${code} ends with ${expected[code] ?? 1}`, () => {
    assert.equal(exitStatusOf(new ControlError(code, '')), expected[code] ?? 1);
  });

test('what only the client and the command know', () => {
  assert.equal(exitStatusOf(new ControlError('daemon-unreachable', '')), 4);
  assert.equal(exitStatusOf(new CliError('usage', '')), 2);
  assert.equal(exitStatusOf(new CliError('refused', '')), 1);
  assert.equal(exitStatusOf(new CliError('cancelled', '')), 1);
  assert.equal(exitStatusOf(new CliError('factor-refused', '')), 77);
  assert.equal(exitStatusOf(new CliError('no-such-factor', '')), 3);
  assert.equal(exitStatusOf(new CliError('config-unreadable', '')), 78);
  assert.equal(exitStatusOf(new Error('a defect')), 1);
});

test('every code of the written table exists', () => {
  for (const code of Object.keys(expected)) assert.ok(code in httpStatus, code);
});
