import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hotp, yubikey } from '../../../bench/devices.ts';
import { newYubikey, otpsOf } from '../../../bench/otp.ts';
import { type Person, people } from '../../../bench/people.ts';
import type { FactorContext } from '../../../daemon/factors/contract.ts';
import type { LocalYubikey, YubikeyRecord } from '../../../daemon/factors/yubikey.ts';
import { yubikey as factor } from '../../../daemon/factors/yubikey.ts';

const context: FactorContext = {
  now: 1,
  skew: 1,
  keyedHash: { keyId: 'none', of: () => Buffer.alloc(32) },
};

function recordOf(person: Person): LocalYubikey {
  const body = yubikey.enrolment(person);
  assert.ok(body.kind === 'yubikey' && body.validation === 'local');
  const { verify: _, code: __, ...key } = body;
  return { ...key, id: 'f1', name: 'key', created: 0, enabled: true, spent: [], lastPress: -1 };
}

function accepted(record: YubikeyRecord, text: string): YubikeyRecord | undefined {
  const verdict = factor.verify(record, { kind: 'yubikey', text }, context);
  return verdict.outcome === 'accepted' ? verdict.record : undefined;
}

describe('input of the benchmark', () => {
  const [person] = people;
  assert.ok(person);

  it('contains valid OTPs of a YubiKey in order, once each, beyond its session counter', () => {
    let record: YubikeyRecord = recordOf(person);
    const texts = [...yubikey.codes(person, 0, 300), ...yubikey.codes(person, 300, 300)];
    for (const [index, text] of texts.entries()) {
      const next = accepted(record, text);
      assert.ok(next, `touch ${index}`);
      assert.equal(accepted(next, text), undefined);
      record = next;
    }
  });

  it('contains no OTP of another key', () => {
    const [text = ''] = otpsOf({ ...newYubikey(), publicId: person.yubikey.publicId }, 0, 1);
    assert.equal(accepted(recordOf(person), text), undefined);
  });

  it('continues where it stopped', () => {
    assert.deepEqual(hotp.codes(person, 0, 4).slice(2), hotp.codes(person, 2, 2));
  });

  it('has as many keys as users', () => {
    assert.equal(new Set(people.map(({ yubikey: { publicId } }) => publicId)).size, people.length);
  });
});
