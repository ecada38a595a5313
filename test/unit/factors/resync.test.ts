import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FactorContext } from '../../../daemon/factors/contract.ts';
import type { HotpRecord } from '../../../daemon/factors/hotp.ts';
import { hotp } from '../../../daemon/factors/hotp.ts';
import type { LocalYubikey } from '../../../daemon/factors/yubikey.ts';
import { yubikey } from '../../../daemon/factors/yubikey.ts';
import { hotp as hotpCode } from '../../support/codes.ts';
import { keyedHash } from '../../support/verifier-rig.ts';
import { otp, programmed } from '../../support/yubikey.ts';

/** Last-used counters from an older copy of the store: one answer is never enough, two consecutive ones are. */
const seed = Buffer.from('12345678901234567890');
const context: FactorContext = { now: 1_700_000_000_000, skew: 1, keyedHash };
const base = { id: 'x', name: 'x', created: 0, enabled: true } as const;

describe('HOTP that needs resynchronisation', () => {
  const record: HotpRecord = {
    ...base,
    kind: 'hotp',
    secret: seed.toString('base64'),
    digits: 6,
    algorithm: 'sha1',
    counter: 10,
    inDoubt: true,
  };
  const code = (counter: number) => ({ kind: 'code', text: hotpCode(seed, counter) }) as const;

  for (const counter of [10, 11, 20, 21, 500])
    test(`refuses code ${counter}, and accepts the one after it`, () => {
      const first = hotp.verify(record, code(counter), context);
      assert.equal(first.outcome, 'refused');
      assert.equal(first.outcome === 'refused' && first.reason, 'resync-required');
      const resync = first.outcome === 'refused' ? first.resync : undefined;
      assert.ok(resync !== undefined);
      const again = hotp.verify(record, code(counter), { ...context, resync });
      assert.equal(again.outcome, 'refused', 'the same once more');
      const later = hotp.verify(record, code(counter + 2), { ...context, resync });
      assert.equal(later.outcome, 'refused', 'not the next one');
      const second = hotp.verify(record, code(counter + 1), { ...context, resync });
      assert.equal(second.outcome, 'accepted');
      assert.ok(second.outcome === 'accepted' && second.record.counter === counter + 2);
      assert.ok(second.outcome === 'accepted' && second.record.inDoubt === undefined, 'the doubt is over');
    });

  test('does not start with a used code', () => {
    const verdict = hotp.verify(record, code(9), context);
    assert.equal(verdict.outcome === 'refused' && verdict.reason, 'replay');
  });
});

describe('a local YubiKey that needs resynchronisation', () => {
  const record: LocalYubikey = {
    ...base,
    kind: 'yubikey',
    validation: 'local',
    publicId: programmed.publicId,
    privateId: programmed.privateId.toString('base64'),
    secret: programmed.aesKey.toString('base64'),
    lastPress: 256 * 5,
    spent: [],
    inDoubt: true,
  };
  const press = (use: number, session = 0) => ({ kind: 'yubikey', text: otp({ use, session }) }) as const;

  test('refuses one press, and accepts two in rising order', () => {
    const first = yubikey.verify(record, press(9), context);
    assert.equal(first.outcome === 'refused' && first.reason, 'resync-required');
    const resync = first.outcome === 'refused' ? first.resync : undefined;
    assert.ok(resync !== undefined);
    for (const [use, session] of [
      [9, 0],
      [8, 200],
      [6, 0],
    ] as const)
      assert.equal(yubikey.verify(record, press(use, session), { ...context, resync }).outcome, 'refused');
    const second = yubikey.verify(record, press(9, 1), { ...context, resync });
    assert.equal(second.outcome, 'accepted');
    assert.ok(second.outcome === 'accepted' && !('inDoubt' in second.record));
  });
});
