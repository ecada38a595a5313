import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AnswerFormat, Assertion, FactorContext, Signed } from '../../../daemon/factors/contract.ts';
import { kindOf, takes } from '../../../daemon/factors/kinds.ts';
import type { U2fRecord } from '../../../daemon/factors/u2f.ts';
import { u2f } from '../../../daemon/factors/u2f.ts';
import type { WebauthnRecord } from '../../../daemon/factors/webauthn.ts';
import { webauthn } from '../../../daemon/factors/webauthn.ts';
import type { CredentialRecord } from '../../support/credential.ts';
import { factorContract } from './contract.ts';
import { contextAt } from './records.ts';

const at = 1_700_000_000_000;
const common = {
  id: 'w1',
  name: 'blue key',
  created: 1_600_000_000_000,
  enabled: true,
  credentialId: 'b25l',
  publicKey: 'pQECAyYgASFYIA==',
  algorithm: 'es256',
  counter: 7,
  spent: [],
} as const;

function record(changes: Partial<WebauthnRecord> = {}): WebauthnRecord {
  return {
    ...common,
    kind: 'webauthn',
    rpId: 'login.example.org',
    aaguid: '00000000-0000-0000-0000-000000000000',
    attested: false,
    resident: false,
    transports: [],
    ...changes,
  };
}

function legacy(changes: Partial<U2fRecord> = {}): U2fRecord {
  return { ...common, kind: 'u2f', appId: 'pam://host', verified: false, ...changes };
}

interface Said {
  readonly credentialId: string;
  readonly challenge: string;
  readonly counter: number;
  readonly userVerified: boolean;
  readonly isSigned: boolean;
}

/** "challenge counter", and then modifiers: "verified", "forged", "of=ID". */
function said(answer: string): Said {
  const [challenge = '', counter = '', ...words] = answer.split(' ');
  const of = words.find((word) => word.startsWith('of='))?.slice(3);
  return {
    credentialId: of ?? common.credentialId,
    challenge,
    counter: Number(counter),
    userVerified: words.includes('verified'),
    isSigned: !words.includes('forged'),
  };
}

/** One assertion for one text, as the same object. */
const assertions = new Map<string, Assertion>();
function shape(answer: string): AnswerFormat {
  const { credentialId, challenge } = said(answer);
  const nothing = Buffer.alloc(0);
  const assertion = assertions.get(answer) ?? {
    credentialId,
    challenge,
    origin: 'pam://login.example.org',
    clientDataJSON: nothing,
    authenticatorData: nothing,
    signature: nothing,
  };
  assertions.set(answer, assertion);
  return { kind: 'assertion', assertion };
}

/** Replaces the verification of the signature (daemon/authenticators/assertions.ts). */
const signed: Signed = (assertion) => {
  for (const [answer, known] of assertions) {
    const { isSigned, ...facts } = said(answer);
    if (known === assertion && isSigned) return facts;
  }
  return undefined;
};
const context: FactorContext = { ...contextAt(at), signed };

const fixture = <R extends CredentialRecord>(of: R) => ({
  record: of,
  context,
  right: ['first 8', 'second 9', 'third 4294967295'] as const,
  wrong: 'forged 8 forged',
  next: { answer: 'next 9' },
  older: undefined,
  edges: {
    inside: [{ answer: 'in 8' }, { answer: 'in 9 verified' }],
    outside: [
      { answer: 'out 7' },
      { answer: 'out 0' },
      { answer: 'out 8', context: { signed: () => undefined } },
    ],
  },
  shape,
  usedUp: undefined,
});
factorContract<WebauthnRecord>('webauthn', () => ({ factor: webauthn, ...fixture(record()) }));
factorContract<U2fRecord>('u2f', () => ({ factor: u2f, ...fixture(legacy()) }));

function verdict(of: CredentialRecord, answer: string, changes: Partial<FactorContext> = {}): string {
  const evaluated = kindOf(of).verify(of, shape(answer), { ...context, ...changes });
  if (evaluated.outcome === 'refused') return evaluated.reason;
  assert.ok('counter' in evaluated.record && 'spent' in evaluated.record);
  return `accepted ${evaluated.record.counter}`;
}

describe('the counter of a security key', () => {
  it('moves to the one in the assertion', () => assert.equal(verdict(record(), 'a 12'), 'accepted 12'));

  for (const back of [7, 6, 1, 0])
    it(`that steps back from 7 to ${back} is refused, and reported`, () =>
      assert.equal(verdict(record(), `a ${back}`), 'counter'));

  it('of a key without a counter stays at zero, again and again', () => {
    assert.equal(verdict(record({ counter: 0 }), 'a 0'), 'accepted 0');
    assert.equal(verdict(record({ counter: 0 }), 'a 1'), 'accepted 1');
  });

  it('is trusted only under a valid signature: a forged one raises no alarm', () => {
    assert.equal(verdict(record(), 'a 1 forged'), 'wrong');
    assert.equal(verdict(record(), 'a 1', { signed: () => undefined }), 'wrong');
    const { signed: _, ...unchecked } = context;
    assert.equal(webauthn.verify(record(), shape('a 8'), unchecked).outcome, 'refused');
  });
});

describe('a challenge', () => {
  it('is answered once, whatever the counter', () => {
    const evaluated = webauthn.verify(record({ counter: 0 }), shape('one 0'), context);
    assert.ok(evaluated.outcome === 'accepted');
    assert.equal(verdict(evaluated.record, 'one 0'), 'replay');
    assert.equal(verdict(evaluated.record, 'one 9'), 'replay');
    assert.equal(verdict(evaluated.record, 'two 9'), 'accepted 9');
  });

  it('is stored as a digest, for the last sixteen', () => {
    let of = record({ counter: 0 });
    for (let number = 0; number < 20; number += 1) {
      const evaluated = webauthn.verify(of, shape(`c${number} 0`), context);
      assert.ok(evaluated.outcome === 'accepted');
      of = evaluated.record;
    }
    assert.equal(of.spent.length, 16);
    assert.ok(of.spent.every((digest) => /^[A-Za-z0-9+/]{22}==$/.test(digest)));
    assert.equal(verdict(of, 'c19 0'), 'replay');
    assert.equal(verdict(of, 'c4 0'), 'replay');
  });
});

describe('user verification', () => {
  const rows = [
    ['required', 'a 8', 'wrong', 'wrong'],
    ['required', 'a 8 verified', 'accepted 8', 'accepted 8'],
    ['preferred', 'a 8', 'accepted 8', 'wrong'],
    ['discouraged', 'a 8', 'accepted 8', 'wrong'],
    ['discouraged', 'a 8 verified', 'accepted 8', 'accepted 8'],
  ] as const;
  for (const [wanted, answer, ofWebauthn, ofVerifiedU2f] of rows)
    it(`${wanted}, and the key reports "${answer}"`, () => {
      const realm = { userVerification: wanted };
      assert.equal(verdict(record(), answer, realm), ofWebauthn);
      assert.equal(verdict(legacy({ verified: true }), answer, realm), ofVerifiedU2f);
      assert.equal(verdict(legacy(), answer, realm), ofWebauthn);
    });
});

it('an assertion of another credential does not match', () => {
  assert.equal(takes(record(), shape('a 8 of=other')), false);
  assert.equal(verdict(record(), 'a 8 of=other'), 'wrong');
});
