import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Config, Realm, Rule } from '../../../daemon/config/contract.ts';
import type { FactorRecord } from '../../../daemon/factors/kinds.ts';
import { satisfiesRequirement } from '../../../daemon/factors/kinds.ts';
import type { LoginFacts } from '../../../daemon/policy/contract.ts';
import { type Decision, decide } from '../../../daemon/policy/decide.ts';
import type { DecisionInput } from '../../../daemon/policy/decision.ts';
import type { CredentialRecord } from '../../support/credential.ts';
import { fc } from '../../support/property.ts';
import { publicKey, sshSkRecord } from '../../support/ssh-keys.ts';
import {
  alice,
  config,
  day,
  disabled,
  facts,
  hotp,
  hour,
  now,
  onTerminal,
  overUserSocket,
  question,
  realm,
  recovery,
  remember,
  rule,
  state,
  totp,
  usedUp,
} from './support.ts';

const rpId = 'login.example.org';
const model = '5a119704-7e57-cafe-8000-000000000001';
const base = {
  created: now - day,
  enabled: true,
  publicKey: '',
  algorithm: 'es256',
  counter: 0,
  spent: [],
} as const;
const blue: CredentialRecord = {
  ...base,
  id: 'w1',
  kind: 'webauthn',
  name: 'blue',
  credentialId: 'b25l',
  rpId,
  aaguid: model,
  attested: false,
  resident: false,
  transports: [],
};
const old: CredentialRecord = {
  ...base,
  id: 'u1',
  kind: 'u2f',
  name: 'old',
  credentialId: 'b2xk',
  appId: 'pam://host',
  verified: false,
};

const withParty = (only: Config, party = rpId): Config => ({
  ...only,
  webauthn: { rpId: party, rpName: party },
});
const here: LoginFacts = onTerminal({ local: true });

function decided(part: Parameters<typeof question>[0] & { readonly party?: string | undefined }): Decision {
  const asked = question({ facts: here, ...part });
  const party = 'party' in part ? part.party : rpId;
  return decide(party === undefined ? asked : { ...asked, config: withParty(asked.config, party) });
}
function said(decision: Decision): string {
  if (decision.kind === 'ask') return `ask ${decision.factors.map(({ id }) => id).join(' ')}`;
  return `${decision.kind} ${decision.why}`;
}

describe('requirements that a security key satisfies', () => {
  for (const kind of ['webauthn', 'u2f'] as const)
    it(`${kind}: none, any, and lists that name webauthn`, () => {
      for (const require of ['none', 'any', ['webauthn'], ['totp', 'webauthn']] as const)
        assert.equal(satisfiesRequirement(require, kind), true, String(require));
      for (const require of [['totp'], ['yubikey'], ['totp', 'yubikey']] as const)
        assert.equal(satisfiesRequirement(require, kind), false, String(require));
    });
});

describe('an account with security keys, at the machine', () => {
  const models = { aaguids: [model], metadataFile: '/m' };
  const webauthn = { userVerification: 'discouraged', residentKey: false } as const;
  const proven = { ...blue, attested: true } as const;
  type Row = [string, Partial<Realm>, readonly FactorRecord[], string, (string | undefined)?];
  const rows: Row[] = [
    ['any: its key', {}, [blue], 'ask w1'],
    ['any: an old key', {}, [old], 'ask u1'],
    ['list: its key', { require: ['webauthn'] }, [blue], 'ask w1'],
    ['list: beside what does not fit', { require: ['webauthn'] }, [totp, blue, recovery], 'ask w1 r1'],
    ['list: another kind', { require: ['totp'] }, [blue], 'refused no-accepted-factor'],
    ['list: another kind, and a code', { require: ['totp'] }, [blue, old, totp], 'ask t1'],
    ['yubikey alone', { require: ['yubikey'] }, [blue, old], 'refused no-accepted-factor'],
    ['none: its key', { require: 'none' }, [blue], 'ask w1'],
    ['none: an old key', { require: 'none' }, [old], 'ask u1'],
    ['none: a disabled one', { require: 'none' }, [disabled(blue)], 'not-needed all-disabled'],
    ['none: a disabled one, and an old one', { require: 'none' }, [disabled(blue), old], 'ask u1'],
    ['any: a disabled one', {}, [disabled(blue)], 'refused all-disabled'],
    ['grace: a disabled one', { enrol: 'grace', graceMs: day }, [disabled(blue)], 'refused all-disabled'],
    ['any: for another party', {}, [blue], 'refused no-accepted-factor', 'other.example'],
    ['any: for a party above', {}, [blue], 'refused no-accepted-factor', 'example.org'],
    ['any: no party at all', {}, [blue], 'refused no-accepted-factor', undefined],
    ['none: for another party', { require: 'none' }, [blue], 'refused no-accepted-factor', 'other.example'],
    ['none: no party at all', { require: 'none' }, [blue], 'refused no-accepted-factor', undefined],
    ['none: for another party, and a code', { require: 'none' }, [blue, totp], 'ask t1', 'other.example'],
    [
      'grace: for another party',
      { enrol: 'grace', graceMs: day },
      [blue],
      'refused no-accepted-factor',
      'other.example',
    ],
    ['any: an old key needs no party', {}, [old], 'ask u1', undefined],
    ['models: one that was proven', { webauthn: { ...webauthn, models } }, [proven], 'ask w1'],
    ['models: one that was not', { webauthn: { ...webauthn, models } }, [blue], 'refused no-accepted-factor'],
    [
      'models: another one',
      { webauthn: { ...webauthn, models: { ...models, aaguids: [] } } },
      [proven],
      'refused no-accepted-factor',
    ],
    ['models: an old key', { webauthn: { ...webauthn, models } }, [old], 'refused no-accepted-factor'],
    [
      'none, models: one that was not',
      { require: 'none', webauthn: { ...webauthn, models } },
      [blue],
      'refused no-accepted-factor',
    ],
  ];
  for (const [what, part, factors, expected, ...party] of rows)
    it(`${what}: ${expected}`, () => {
      const asked = { realm: realm(part), state: state({ factors }) };
      assert.equal(said(decided(party.length === 0 ? asked : { ...asked, party: party[0] })), expected);
    });

  const reasons: [string, Partial<Realm>, readonly FactorRecord[], RegExp, (string | undefined)?][] = [
    [
      'another party',
      {},
      [blue],
      /^no factor that the account has is accepted: webauthn "blue" was made for login\.example\.org, and rp_id is other\.example$/,
      'other.example',
    ],
    [
      'no party',
      { require: 'none' },
      [blue],
      /webauthn "blue" was made for login\.example\.org, and no rp_id is set$/,
      undefined,
    ],
    [
      'a model unverified',
      { webauthn: { ...webauthn, models } },
      [blue, old],
      /webauthn "blue" never proved its model; u2f "old" has no model, and the realm allows only some$/,
    ],
    [
      'another model',
      { webauthn: { ...webauthn, models: { ...models, aaguids: [] } } },
      [proven],
      /webauthn "blue" is of model 5a119704-7e57-cafe-8000-000000000001, which the realm does not allow$/,
    ],
    [
      'another kind',
      { require: ['totp'] },
      [blue],
      /^no factor that the account has is accepted: the realm requires totp, and webauthn "blue" is not among them$/,
    ],
  ];
  for (const [what, part, factors, sentence, ...party] of reasons)
    it(`reports why none is accepted: ${what}`, () => {
      const asked = { realm: realm(part), state: state({ factors }) };
      const decision = decided(party.length === 0 ? asked : { ...asked, party: party[0] });
      assert.match(decision.detail, sentence);
      assert.doesNotMatch(decision.detail, /(?:none|any) factor/);
    });
});

describe('where a security key can be used', () => {
  const elsewhere: [string, LoginFacts][] = [
    ['not local', { ...here, local: false }],
    ['not proven', { ...here, firstFactorVerified: false }],
    ['not over pam.sock', { ...here, rootSocket: false }],
    ['behind the password', { ...here, mode: 'password-and-code' }],
    ['in the first password', { ...here, mode: 'first-pass' }],
    ['over ssh', facts()],
    ['over pam-user.sock', { ...here, ...overUserSocket }],
  ];
  for (const key of [blue, old])
    for (const [where, login] of elsewhere)
      it(`${key.kind} ${where}: does not count, and exempts no account`, () => {
        for (const require of ['none', 'any', ['webauthn']] as const) {
          const alone = { realm: realm({ require }), state: state({ factors: [key] }) };
          assert.equal(said(decided({ ...alone, facts: login })), 'refused key-unavailable');
          assert.equal(said(decided({ ...alone, facts: here })), `ask ${key.id}`);
          const mixed = { realm: realm({ require }), state: state({ factors: [key, recovery] }) };
          assert.equal(said(decided({ ...mixed, facts: login })), 'ask r1');
        }
        const typed = { realm: realm(), state: state({ factors: [key, totp] }) };
        assert.equal(said(decided({ ...typed, facts: login })), 'ask t1');
        assert.equal(said(decided({ ...typed, facts: here })), `ask ${key.id} t1`);
      });

  it('remember does not replace an answer that could not be given', () => {
    const remembering = realm({ rules: [rule(remember)] });
    const { tty = '', session = '', bootId } = here;
    const grant = {
      realm: 'everybody',
      service: 'sudo',
      origin: `tty:${tty} session:${session} boot:${bootId}`,
      since: now - 1,
    };
    const has = { realm: remembering, state: state({ factors: [blue], grants: [grant] }) };
    assert.equal(said(decided(has)), 'not-needed remembered');
    assert.equal(said(decided({ ...has, facts: { ...here, local: false } })), 'refused key-unavailable');
  });

  it('a lockout of codes does not affect it, a full lockout does', () => {
    const codes = { codes: 8, any: 8, codesLockedAt: now - hour };
    const alone = decided({ state: state({ factors: [blue], lock: codes }) });
    assert.ok(alone.kind === 'ask' && !alone.codesLocked);
    const mixed = decided({ state: state({ factors: [blue, totp], lock: codes }) });
    assert.ok(mixed.kind === 'ask' && mixed.codesLocked);
    const away = { state: state({ factors: [blue, totp], lock: codes }), facts: { ...here, local: false } };
    assert.equal(said(decided(away)), 'refused codes-locked');
    const all = { codes: 0, any: 100, lockedAt: now - 1 };
    assert.equal(said(decided({ state: state({ factors: [blue], lock: all }) })), 'refused locked');
  });
});

describe('adding a security key to an account', () => {
  const anyFactor = fc
    .tuple(
      fc.constantFrom<FactorRecord>(totp, hotp, recovery, usedUp, sshSkRecord('green'), blue, old),
      fc.boolean(),
    )
    .map(([factor, enabled]) => (enabled ? factor : disabled(factor)));
  const action = fc.constantFrom<Rule['action']>({ kind: 'ask' }, { kind: 'skip' }, remember, {
    kind: 'accept',
    factor: 'ssh-sk',
  });
  const anyRealm = fc
    .record({
      require: fc.constantFrom<Realm['require']>('none', 'any', ['totp'], ['webauthn'], ['yubikey']),
      enrol: fc.constantFrom<Partial<Realm>>({}, { enrol: 'grace', graceMs: day }),
      only: fc.boolean(),
      rules: fc.array(
        action.map((each) => rule(each)),
        { maxLength: 1 },
      ),
      su: fc.constantFrom('target' as const, 'caller' as const),
    })
    .map(({ require, enrol, only, rules, su }) =>
      realm({
        require,
        rules,
        su,
        ...enrol,
        webauthn: {
          userVerification: 'discouraged',
          residentKey: false,
          ...(only && { models: { aaguids: [model], metadataFile: '/m' } }),
        },
      }),
    );
  const mostly = fc.integer({ min: 0, max: 7 }).map((number) => number > 0);
  const anyFacts = fc
    .record({
      local: mostly,
      firstFactorVerified: mostly,
      rootSocket: mostly,
      tail: mostly.map((isMost) => !isMost),
      ssh: fc.boolean(),
      su: fc.boolean(),
    })
    .map(({ tail, ssh, su, ...flags }) => ({
      ...(ssh ? facts({ sshKeys: [publicKey('green')] }) : onTerminal(su ? { service: 'su' } : {})),
      ...flags,
      mode: tail ? ('password-and-code' as const) : ('prompt' as const),
    }));
  const anyQuestion: fc.Arbitrary<DecisionInput> = fc
    .record({
      realm: anyRealm,
      factors: fc.array(anyFactor, { maxLength: 3 }),
      codesLocked: fc.boolean(),
      locked: mostly.map((isMost) => !isMost),
      grace: fc.boolean(),
      facts: anyFacts,
      party: mostly,
    })
    .map(({ realm: only, factors, codesLocked, locked, grace, facts: login, party }) => ({
      config: party ? withParty(config(only)) : config(only),
      account: alice,
      groups: new Map(),
      holderUid: alice.uid,
      // A change of factors voids grants, so that there are none afterwards.
      state: state({
        factors: factors.map((factor, index) => ({ ...factor, id: `f${index}` })),
        lock: {
          codes: 8,
          any: 9,
          ...(codesLocked && { codesLockedAt: now - hour }),
          ...(locked && { lockedAt: now - 1 }),
        },
        ...(grace && { graceStarted: now - hour }),
      }),
      facts: login,
      now,
    }));
  const anyKey = fc
    .record({
      key: fc.constantFrom<CredentialRecord>(blue, old),
      enabled: fc.boolean(),
      attested: fc.boolean(),
    })
    .map(({ key, enabled, attested }): FactorRecord => {
      return key.kind === 'webauthn'
        ? { ...key, id: 'new', enabled, attested }
        : { ...key, id: 'new', enabled };
    });

  /** The possible answers without the new key. */
  const answers = (decision: Decision): string[] =>
    decision.kind !== 'ask'
      ? []
      : decision.factors
          .filter(
            ({ id, kind }) =>
              id !== 'new' &&
              !(decision.codesLocked && kind !== 'recovery' && kind !== 'webauthn' && kind !== 'u2f'),
          )
          .map(({ id }) => id);

  it('never makes a decision less strict', () => {
    const seen: Record<string, number> = {};
    fc.assert(
      fc.property(anyQuestion, anyKey, (before, key) => {
        const was = decide(before);
        const { factors } = before.state;
        const is = decide({ ...before, state: { ...before.state, factors: [...factors, key] } });
        const step = `${was.kind} -> ${is.kind}`;
        seen[step] = (seen[step] ?? 0) + 1;
        if (is.kind === 'not-needed' || is.kind === 'accept')
          assert.equal(was.kind, is.kind, `${step}: ${is.detail}`);
        if (is.kind !== 'ask' || was.kind === 'not-needed' || was.kind === 'accept') return;
        const taken = answers(was);
        for (const id of answers(is)) assert.ok(taken.includes(id), `${step}: ${id} is taken now`);
        if (was.kind === 'refused')
          assert.ok(
            is.factors.some(({ id }) => id === 'new'),
            step,
          );
        assert.ok(
          was.kind !== 'refused' || !['locked', 'rule-refuse', 'grace-clock'].includes(was.why),
          step,
        );
      }),
      { numRuns: 10_000 },
    );
    for (const step of [
      'refused -> refused',
      'refused -> ask',
      'ask -> ask',
      'not-needed -> ask',
      'not-needed -> refused',
      'not-needed -> not-needed',
    ])
      assert.ok((seen[step] ?? 0) > 50, `${step}: ${seen[step]}`);
  });
});
