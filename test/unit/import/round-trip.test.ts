import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { csv } from '../../../cli/import/csv.ts';
import { columns, rowOf } from '../../../cli/import/csv-columns.ts';
import { lineOf } from '../../../cli/import/csv-line.ts';
import { readOtpauth } from '../../../cli/import/otpauth.ts';
import type { PortableFactor } from '../../../daemon/api/account-views.ts';
import { otpauthUri } from '../../../daemon/client/factor-input.ts';
import { all, sourceOf } from '../../support/import-source.ts';
import { fc } from '../../support/property.ts';
import { modhexOf } from '../../support/yubikey.ts';

/** Exported factors can be imported, of every kind that can be exported, unchanged. */

const bytes = (minLength: number, maxLength = minLength) =>
  fc.uint8Array({ minLength, maxLength }).map((array) => Buffer.from(array));
const base64 = (minLength: number, maxLength = minLength) =>
  bytes(minLength, maxLength).map((buffer) => buffer.toString('base64'));
const user = fc.constantFrom('alice', 'dave@corp.example', 'CORP\\erin', 'ünal', 'a+b', 'x%3Ay', '#1');
const base = {
  name: fc.constantFrom('phone', 'pixel-7, "authy"', ' blue ', 'clé', 'a;b', '#', 'otpauth:', "o'b"),
  created: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  enabled: fc.boolean(),
};
const token = {
  ...base,
  secret: base64(10, 64),
  digits: fc.constantFrom(6 as const, 7 as const, 8 as const),
  algorithm: fc.constantFrom('sha1' as const, 'sha256' as const, 'sha512' as const),
};
const totp: fc.Arbitrary<Extract<PortableFactor, { kind: 'totp' }>> = fc.record({
  ...token,
  kind: fc.constant('totp'),
  period: fc.integer({ min: 15, max: 300 }),
  mark: fc.oneof(fc.constant('now' as const), fc.integer({ min: -1, max: 2 ** 40 })),
  drift: fc.integer({ min: -10, max: 10 }),
});
const hotp: fc.Arbitrary<Extract<PortableFactor, { kind: 'hotp' }>> = fc.record({
  ...token,
  kind: fc.constant('hotp'),
  counter: fc.integer({ min: 0, max: 2 ** 48 }),
});
const publicId = bytes(1, 8).map(modhexOf);
const yubikey: fc.Arbitrary<PortableFactor> = fc.oneof(
  fc.record({
    ...base,
    kind: fc.constant('yubikey' as const),
    validation: fc.constant('cloud' as const),
    publicId,
  }),
  fc.record({
    ...base,
    kind: fc.constant('yubikey' as const),
    validation: fc.constant('local' as const),
    publicId,
    privateId: base64(6),
    secret: base64(16),
    lastPress: fc.integer({ min: -1, max: 0x7f_ffff }),
  }),
);

const found = async (text: string) =>
  (await all(csv(undefined), sourceOf(text))).map((one) =>
    one.kind === 'found' ? { user: one.user, factors: one.factors } : one,
  );

describe('the output of export', () => {
  test('as CSV is accepted by import csv', async () => {
    await fc.assert(
      fc.asyncProperty(user, fc.oneof(totp, hotp, yubikey), async (name, factor) => {
        const row = rowOf(name, factor);
        assert.ok(row !== undefined);
        const line = lineOf(columns.map((column) => row[column] ?? ''));
        assert.deepEqual(await found(`${lineOf(columns)}\n${line}\n`), [
          { user: name, factors: [{ ...factor }] },
        ]);
      }),
    );
  });

  test('as otpauth is accepted by import csv, except name, creation time and counters, which a URI cannot contain', async () => {
    const issuer = fc.constantFrom('Sallyport', 'Host: A', 'é%:', "web1 (it's)");
    await fc.assert(
      fc.asyncProperty(user, issuer, fc.oneof(totp, hotp), async (account, by, factor) => {
        const { secret, digits, algorithm } = factor;
        const common = { issuer: by, account, seed: Buffer.from(secret, 'base64'), digits, algorithm };
        const moving =
          factor.kind === 'totp'
            ? ({ kind: 'totp', period: factor.period } as const)
            : ({ kind: 'hotp', counter: factor.counter } as const);
        const spent = factor.kind === 'totp' ? { mark: 'now', drift: 0 } : {};
        const expected = { secret, digits, algorithm, enabled: true, ...moving, ...spent };
        assert.deepEqual(await found(`${otpauthUri({ ...common, ...moving })}\n`), [
          { user: account, factors: [expected] },
        ]);
      }),
    );
  });

  test('is accepted by other programs too', () => {
    const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
    for (const [uri, account] of [
      [`otpauth://totp/alice?secret=${secret}`, 'alice'],
      [`otpauth://totp/ACME%20Co%3Aalice?secret=${secret}&issuer=ACME%20Co`, 'alice'],
      [`otpauth://totp/ACME:%20alice?secret=${secret.toLowerCase()}&digits=6`, 'alice'],
      [`OTPAUTH://TOTP/alice?secret=${secret}&algorithm=HmacSHA1`, 'alice'],
      [`otpauth://totp/?secret=${secret}`, ''],
    ] as const) {
      const read = readOtpauth(uri);
      assert.deepEqual([read.account, read.token.kind, read.token.digits], [account, 'totp', 6], uri);
    }
  });
});
