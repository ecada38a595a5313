import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answerFormatOf } from '../../../daemon/factors/answers/answer-format.ts';
import type { Validated } from '../../../daemon/factors/contract.ts';
import { isPublicId } from '../../../daemon/factors/encodings/yubikey-otp.ts';
import type { CloudYubikey, LocalYubikey, YubikeyRecord } from '../../../daemon/factors/yubikey.ts';
import { yubikey } from '../../../daemon/factors/yubikey.ts';
import { fc } from '../../support/property.ts';
import { modhexOf, otp, programmed } from '../../support/yubikey.ts';
import { factorContract } from './contract.ts';
import { contextAt } from './records.ts';

const pressOf = (use: number, session: number): number => use * 256 + session;

function record(changes: Partial<LocalYubikey> = {}): LocalYubikey {
  return {
    id: 'y1',
    name: 'blue key',
    created: 1_600_000_000_000,
    enabled: true,
    kind: 'yubikey',
    validation: 'local',
    publicId: programmed.publicId,
    privateId: programmed.privateId.toString('base64'),
    secret: programmed.aesKey.toString('base64'),
    lastPress: pressOf(19, 17),
    spent: [],
    ...changes,
  };
}

const verify = (of: LocalYubikey, answer: string) =>
  yubikey.verify(of, answerFormatOf(Buffer.from(answer), new Set()), contextAt(1_700_000_000_000));
const outcome = (of: LocalYubikey, answer: string): string => {
  const verdict = verify(of, answer);
  if (verdict.outcome === 'refused') return verdict.reason;
  assert.ok(verdict.record.validation === 'local');
  return `${verdict.record.lastPress}`;
};

factorContract<YubikeyRecord>('yubikey', () => ({
  factor: yubikey,
  record: record(),
  context: contextAt(1_700_000_000_000),
  right: [otp({ use: 20, session: 5 }), otp({ use: 20, session: 6 }), otp({ use: 21, session: 0 })],
  wrong: otp({ use: 20, session: 5 }, { ...programmed, aesKey: Buffer.alloc(16, 1) }),
  next: { answer: otp({ use: 21, session: 1 }) },
  older: otp({ use: 20, session: 4 }),
  edges: {
    inside: [{ answer: otp({ use: 19, session: 18 }) }, { answer: otp({ use: 32_767, session: 255 }) }],
    outside: [{ answer: otp({ use: 19, session: 17 }) }, { answer: otp({ use: 0, session: 0 }) }],
  },
  usedUp: undefined,
}));

const keyRequests = Array.from({ length: 4 }, (_, session) => otp({ use: 30, session }));
const validatedAs =
  (verdict: ReturnType<Validated>): Validated =>
  (asked) =>
    keyRequests.includes(asked) ? verdict : 'wrong';
const cloud: CloudYubikey = {
  id: 'y2',
  name: 'green key',
  created: 1_600_000_000_000,
  enabled: true,
  kind: 'yubikey',
  validation: 'cloud',
  publicId: programmed.publicId,
  spent: [],
};

factorContract<YubikeyRecord>('yubikey, validated by servers', () => ({
  factor: yubikey,
  record: cloud,
  context: contextAt(1_700_000_000_000, { validated: validatedAs('valid') }),
  right: [keyRequests[0] ?? '', keyRequests[1] ?? '', ...keyRequests.slice(2)],
  wrong: otp({ use: 31, session: 0 }),
  next: { answer: keyRequests[1] ?? '' },
  older: undefined,
  edges: {
    inside: [{ answer: keyRequests[0] ?? '' }],
    outside: (['wrong', 'replay', 'unavailable'] as const).map((verdict) => ({
      answer: keyRequests[0] ?? '',
      context: { validated: validatedAs(verdict) },
    })),
  },
  usedUp: undefined,
}));

it("yubikey, validated by servers: without a server's verdict it is refused", () => {
  const shape = answerFormatOf(Buffer.from(keyRequests[0] ?? ''), new Set());
  const verdict = yubikey.verify(cloud, shape, contextAt(1_700_000_000_000));
  assert.deepEqual(verdict, { outcome: 'refused', reason: 'unavailable' });
});

it('yubikey: a used OTP is used, under every public id and validation', () => {
  const press = { use: 30, session: 0 };
  const context = contextAt(1_700_000_000_000, { validated: () => 'valid' });
  const first = yubikey.verify(record(), answerFormatOf(Buffer.from(otp(press)), new Set()), context);
  assert.ok(first.outcome === 'accepted');
  const { spent } = first.record;
  const publicId = 'ccccccccccch';
  const again = answerFormatOf(Buffer.from(otp(press, { ...programmed, publicId })), new Set());
  for (const other of [record({ publicId, spent }), { ...cloud, publicId, spent }])
    assert.deepEqual(yubikey.verify(other, again, context), { outcome: 'refused', reason: 'replay' });
});

describe('yubikey: what is published', () => {
  it('is decrypted: the vector of Yubico’s own clients', () => {
    const published = record({ publicId: 'dteffuje', lastPress: -1 });
    assert.equal(outcome(published, 'dteffujehknhfjbrjnlnldnhcujvddbikngjrtgh'), `${pressOf(19, 17)}`);
    assert.equal(
      otp({ use: 19, session: 17 }, { ...programmed, publicId: 'dteffuje' }).slice(0, 8),
      'dteffuje',
    );
  });

  it('is encrypted the same way by the key of the tests', () => {
    const key = { ...programmed, publicId: 'dteffuje' };
    assert.equal(otp({ use: 19, session: 17 }, key), 'dteffujehknhfjbrjnlnldnhcujvddbikngjrtgh');
  });

  it('may be typed with Caps Lock', () => {
    assert.equal(outcome(record(), otp({ use: 20, session: 1 }).toUpperCase()), `${pressOf(20, 1)}`);
    // Old keys reported this in the highest bit of their use counter.
    assert.equal(outcome(record(), otp({ use: 20 | 0x8000, session: 2 })), `${pressOf(20, 2)}`);
  });
});

describe('yubikey: wrong OTPs', () => {
  it('an OTP of another key, another private id, another public id, or with another CRC', () => {
    const press = { use: 20, session: 1 };
    const wrongs = [
      otp(press, { ...programmed, aesKey: Buffer.alloc(16) }),
      otp(press, { ...programmed, privateId: Buffer.alloc(6) }),
      otp(press, { ...programmed, publicId: 'vvcccccccclc' }),
      otp(press, programmed, 1),
    ];
    for (const answer of wrongs) assert.equal(outcome(record(), answer), 'wrong', answer);
    for (let at = 0; at < 32; at += 1) {
      const right = otp(press);
      const place = programmed.publicId.length + at;
      const other = right[place] === 'c' ? 'b' : 'c';
      assert.equal(outcome(record(), right.slice(0, place) + other + right.slice(place + 1)), 'wrong');
    }
  });

  it('everything against a record with a truncated private id', () => {
    assert.equal(outcome(record({ privateId: '' }), otp({ use: 20, session: 1 })), 'wrong');
  });

  it('a press at or below the last one is a replay, and never one above it', () => {
    fc.assert(
      fc.property(
        fc.nat(0x7fff),
        fc.nat(255),
        fc.integer({ min: -1, max: 0x7fffff }),
        (use, session, lastPress) => {
          const press = pressOf(use, session);
          const expected = press > lastPress ? `${press}` : 'replay';
          assert.equal(outcome(record({ lastPress }), otp({ use, session })), expected);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('no OTP is accepted by accident', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (block) => {
        const answer = programmed.publicId + modhexOf(Buffer.from(block));
        assert.equal(verify(record({ lastPress: -1 }), answer).outcome, 'refused');
      }),
      { numRuns: 500 },
    );
  });
});

it('a public id is 1 to 8 bytes of modhex', () => {
  for (const good of ['cc', 'vvcccccccclb', 'v'.repeat(16)]) assert.ok(isPublicId(good), good);
  for (const bad of ['', 'c', 'ccc', 'v'.repeat(18), 'VVCC', 'aa', 'cc\n', ' cc'])
    assert.ok(!isPublicId(bad), bad);
});
