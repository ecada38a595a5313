import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as schema from '../../../daemon/api/schema.ts';
import type { CeremonyBody, EnrolBody } from '../../../daemon/api/views.ts';
import { kinds, type NewFactorJson } from '../../../daemon/factors/kinds.ts';
import { formerBypass, formerCeremony, formerEnrol } from '../factors/former/requests.ts';
import { assertSameReads, formerKinds } from '../factors/former/same.ts';

const seed = 'AAAAAAAAAAAAAAAAAAAAAA==';
const otp = { secret: seed, digits: 6, algorithm: 'sha1' } as const;
const key = { credentialId: 'AA', publicKey: 'AA==', algorithm: 'es256', appId: 'pam://host' } as const;
const verified = { name: 'pixel-7', code: '123456', verify: true } as const;

const enrolSamples: readonly EnrolBody[] = [
  { kind: 'totp', ...otp, period: 30, verify: false },
  { kind: 'totp', ...otp, period: 300, ...verified },
  { kind: 'hotp', ...otp, counter: 0, verify: true },
  { kind: 'hotp', ...otp, counter: 7, ...verified },
  { kind: 'yubikey', validation: 'cloud', ...verified },
  {
    kind: 'yubikey',
    validation: 'local',
    publicId: 'cccc',
    privateId: 'AAAAAAAA',
    secret: seed,
    ...verified,
  },
  { kind: 'u2f', ...key, verified: true, name: 'old key', verify: false },
  { kind: 'ssh-sk', publicKey: 'sk-ssh-ed25519@openssh.com AAAA', name: 'key', verify: true },
  { kind: 'recovery', verify: true },
];
const ceremonySamples: readonly CeremonyBody[] = [
  { kind: 'webauthn' },
  { kind: 'webauthn', name: 'blue key' },
  { kind: 'u2f', ...key, verified: false },
  { kind: 'u2f', ...key, verified: true, name: 'old key' },
];

/** What the handlers did with the fields that contain secrets. */
function inBytes(read: object): object {
  const isKey = 'kind' in read && read.kind === 'u2f';
  const changed = Object.entries(read).map(([name, value]) => {
    if (name === 'code') return [name, Buffer.from(String(value))];
    const isSecret = name === 'secret' || name === 'privateId' || (name === 'publicKey' && isKey);
    return [name, isSecret ? Buffer.from(String(value), 'base64') : value];
  });
  return Object.fromEntries(changed);
}

describe('a request for a new factor', () => {
  const formerSamples = enrolSamples.filter(({ kind }) => formerKinds.includes(kind));
  for (const sample of formerSamples)
    it(`of kind ${sample.kind} is what one schema for all kinds accepted: ${Object.keys(sample).length} fields`, () => {
      const before = (input: unknown) => inBytes(schema.check(formerEnrol, input));
      assertSameReads(before, schema.readEnrol, [sample]);
    });

  it('may become one of another kind', () => {
    const before = (input: unknown) => inBytes(schema.check(formerEnrol, input));
    const mixed = formerSamples.flatMap((one) =>
      formerKinds.map((kind) => ({ ...one, kind, validation: 'local' })),
    );
    for (const input of [...mixed, {}, [], null, 'totp', { kind: 'none' }, { kind: 1 }])
      assert.deepEqual(outcome(schema.readEnrol, input), outcome(before, input), JSON.stringify(input));
  });

  it('is passed on by the portal unchanged', () => {
    for (const sample of enrolSamples) assert.deepEqual(schema.checkEnrol({ ...sample }), sample);
    assert.throws(() => schema.checkEnrol({ kind: 'recovery' }), { code: 'bad-request' });
  });

  it('contains no secrets once they are wiped', () => {
    for (const sample of enrolSamples) {
      const read = schema.readEnrol(sample);
      schema.wipeBytes(read);
      for (const value of Object.values(read))
        if (Buffer.isBuffer(value)) assert.ok(value.every((byte) => byte === 0));
    }
  });
});

describe('a request for a touched key', () => {
  for (const sample of ceremonySamples)
    it(`of kind ${sample.kind} is what one schema accepted: ${Object.keys(sample).length} fields`, () => {
      const before = (input: unknown) => inBytes(schema.check(formerCeremony, input));
      assertSameReads(before, schema.readCeremony, [sample]);
    });
});

describe('a request for a bypass code', () => {
  it('is what the former schema accepted', () => {
    const before = (input: unknown) => ({ kind: 'bypass', ...schema.check(formerBypass, input) });
    for (const input of [
      {},
      ...[0, 59_999, 60_000, 60_000.5, 86_400_000, 86_400_001, '1'].map((forMs) => ({ forMs })),
    ])
      assert.deepEqual(outcome(schema.readBypass, input), outcome(before, input), JSON.stringify(input));
    for (const input of [{ kind: 'bypass' }, { forMs: 60_000, verify: false }, [], null, 'x'])
      assert.deepEqual(outcome(schema.readBypass, input), outcome(before, input), JSON.stringify(input));
  });
});

describe('the table of kinds', () => {
  it('has a request for each kind that can be added, with what verifies it', () => {
    const ways = Object.fromEntries(
      Object.values(kinds).map(({ kind, enrolling }) => [kind, enrolling?.proof]),
    );
    assert.deepEqual(ways, {
      totp: 'code',
      hotp: 'code',
      yubikey: 'code',
      webauthn: 'making',
      u2f: 'touch',
      'ssh-sk': 'none',
      recovery: 'none',
      scratch: undefined,
      bypass: 'issuer',
    });
    const requests: readonly NewFactorJson['kind'][] = [...enrolSamples, ...ceremonySamples].map(
      ({ kind }) => kind,
    );
    for (const [kind, how] of Object.entries(ways))
      assert.equal(
        requests.some((one) => one === kind),
        how !== undefined && how !== 'issuer',
        kind,
      );
  });
});

function outcome(read: (input: unknown) => unknown, input: unknown): unknown {
  try {
    return read(input);
  } catch (error) {
    return error instanceof Error ? error.message.replace(/must be \(.*\)/, 'must be …') : error;
  }
}
